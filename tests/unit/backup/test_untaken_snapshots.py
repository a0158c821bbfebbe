"""A backup of claims without snapshots of their volumes says so, and warns where somebody would not expect it."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from pinnace.backup import run
from pinnace.backup.forecast import forecast
from pinnace.backup.untaken_snapshots import Untaken, untaken
from pinnace.cli.backup_flags import with_snapshots_decided
from pinnace.cli.backup_plan import forecast_lines
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore
from pinnace.velero.backup import Backup, BackupSpec
from pinnace.velero.timestamps import timestamp
from unit.backup.recorded_cluster import RecordedCluster
from unit.backup.small_backup import GOLDEN, NOW

_OFF = "CSI snapshots are off in this installation (--csi-snapshots off)"
_NOWHERE = "the cluster has no kinds of CSI snapshots, and the Backup no VolumeSnapshotLocation"
_ASKED = "the Backup says snapshotVolumes: false"


@pytest.mark.parametrize(
    ("wanted", "serves", "takes", "located", "refused", "expected"),
    [
        (None, True, True, False, "", None),
        (True, True, True, False, "", None),
        (None, False, True, True, "", None),
        (None, True, False, True, "", None),
        (None, True, False, False, "", Untaken(_OFF, is_warning=True)),
        (None, False, True, False, "", Untaken(_NOWHERE, is_warning=False)),
        (True, False, True, False, "", Untaken(_NOWHERE, is_warning=True)),
        (False, True, True, True, "", Untaken(_ASKED, is_warning=False)),
        (False, True, True, False, "shell", Untaken("shell", is_warning=True)),
        (False, False, True, False, "shell", Untaken("shell", is_warning=False)),
    ],
)
def test_it_is_a_warning_where_some_could_be_had_or_were_asked_for(
    wanted: bool | None, serves: bool, takes: bool, located: bool, refused: str, expected: Untaken | None
) -> None:
    spec = BackupSpec(others={} if wanted is None else {"snapshotVolumes": wanted})
    found = untaken(
        spec, serves_csi_snapshots=serves, takes_csi_snapshots=takes, has_locations=located, refused=refused
    )
    assert found == expected


@pytest.mark.parametrize(
    ("others", "decided"),
    [
        ({}, False),
        ({"snapshotVolumes": None}, False),
        ({"snapshotVolumes": True}, True),
        ({"volumeSnapshotLocations": ["ebs"]}, None),
    ],
)
def test_a_run_from_a_shell_decides_what_the_backup_leaves_open(others: dict[str, Any], decided: bool | None) -> None:
    backup, reason = with_snapshots_decided(Backup("b", spec=BackupSpec(others=others)))
    assert backup.spec.others.get("snapshotVolumes") is decided
    assert bool(reason) is (decided is False)
    assert with_snapshots_decided(Backup("b", spec=BackupSpec(others={"snapshotVolumes": False})))[1] == ""


@pytest.mark.parametrize(("wanted", "is_warning"), [(None, False), (True, True)])
def test_run_and_plan_count_the_claims_without(wanted: bool | None, is_warning: bool, tmp_path: Path) -> None:
    others = {} if wanted is None else {"snapshotVolumes": wanted}
    backup = Backup("b", spec=BackupSpec(included_namespaces=("golden-a",), others=others))
    cluster = RecordedCluster(GOLDEN / "cluster")
    store = BackupStore(FilesystemStore(tmp_path), "b")
    outcome = run.make(backup.with_status(start_timestamp=timestamp(NOW)), client=cluster.client, store=store)
    sentence = f"1 claim is stored without a snapshot of what is in the volumes: {_NOWHERE}"
    assert [entry.message for entry in outcome.results.entries()] == ([sentence] if is_warning else [])
    log = gzip.decompress((tmp_path / "backups" / "b" / "b-logs.gz").read_bytes()).decode()
    assert log.count(f'msg="{sentence}"') == 1
    planned = forecast(backup, client=cluster.client, options=run.RunOptions())
    assert [entry.message for entry in planned.results.entries()] == ([sentence] if is_warning else [])
    assert f"Volumes: {sentence}" in forecast_lines(planned)
