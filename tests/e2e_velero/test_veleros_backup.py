"""A backup that the real Velero wrote comes into our cluster, is shown, verified, fetched from, and deleted by ours."""

import json
import tarfile
from collections.abc import Iterator

import pytest

from command import pinnace
from e2e.installation import CREDENTIALS, NAMESPACE, Installation, phase
from e2e_velero import many_kinds
from e2e_velero.velero_program import Velero, lines_of, served
from integration.dispatcher_process import Stage
from integration.s3_fixtures import open_bucket
from pinnace.backup.verify_foreign import ForeignBackup
from pinnace.kube.kinds import BACKUP_STORAGE_LOCATIONS, BACKUPS
from pinnace.kube.objects import Objects
from pinnace.store.backup_store import BackupStore

pytestmark = [pytest.mark.usefixtures("credentials"), pytest.mark.timeout(1800)]

_NAME = "written"
_LOCATION = "theirs"
_NAMESPACE = "velero-first"


@pytest.fixture(scope="module")
def theirs(
    on_node: Installation, velero_on_node: Velero, filled: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Velero, Stage]]:
    """A real server that has made a backup, in a location that our dispatcher has too."""
    folder = tmp_path_factory.mktemp("first")
    stage = Stage(on_node.cluster.kubeconfig, _NAMESPACE, folder, on_node.server.url, on_node.bucket, CREDENTIALS)
    with served(velero_on_node, stage, locations={_LOCATION: _LOCATION}) as command:
        stage.wait(lambda: phase(stage.location(_LOCATION)) == "Available", seconds=120)
        names = ",".join(many_kinds.namespaces(filled))
        printed = command.run("backup", "create", _NAME, "--include-namespaces", names, "--wait")
        assert "Backup completed with status: Completed." in printed
        yield command, stage


@pytest.fixture(scope="module")
def synced(on_node: Installation, theirs: tuple[Velero, Stage]) -> str:
    """The name of Velero's backup, once our dispatcher has found it."""
    _, stage = theirs
    locations = Objects(on_node.cluster.client, BACKUP_STORAGE_LOCATIONS, namespace=NAMESPACE)
    spec = {**stage.location(_LOCATION)["spec"], "default": False}
    spec["credential"] = {"name": "cloud-credentials", "key": "cloud"}
    locations.create(
        {
            "apiVersion": "velero.io/v1",
            "kind": "BackupStorageLocation",
            "metadata": {"name": _LOCATION, "namespace": NAMESPACE},
            "spec": spec,
        }
    )
    on_node.wait(_NAME, timeout_seconds=180)
    return _NAME


@pytest.fixture
def store_url(on_node: Installation) -> str:
    return on_node.server.store_url(on_node.bucket, _LOCATION)


def test_it_is_described_as_velero_describes_it(
    synced: str, theirs: tuple[Velero, Stage], velero_on_node: Velero
) -> None:
    command, _ = theirs
    by_velero, by_ours = (
        lines_of(each.run("backup", "describe", synced, "--details")) for each in (command, velero_on_node)
    )
    different = [(line, other) for line, other in zip(by_velero, by_ours, strict=True) if line != other]
    assert different == [(f"Namespace:  {_NAMESPACE}", f"Namespace:  {NAMESPACE}")]


def test_its_log_and_archive_are_served(synced: str, theirs: tuple[Velero, Stage], velero_on_node: Velero) -> None:
    command, _ = theirs
    assert velero_on_node.run("backup", "logs", synced) == command.run("backup", "logs", synced)
    for each, name in ((command, "by-velero"), (velero_on_node, "by-ours")):
        each.run("backup", "download", synced, "--output", f"{name}.tar.gz")
    by_velero, by_ours = ((velero_on_node.home / f"{name}.tar.gz").read_bytes() for name in ("by-velero", "by-ours"))
    assert by_ours == by_velero


def test_it_is_verified_as_far_as_its_format_allows(synced: str, on_node: Installation, store_url: str) -> None:
    verified = pinnace("backup", "verify", synced, "--store", store_url, "--output", "json")
    assert verified.returncode == 0, verified.stderr
    document = json.loads(verified.stdout)
    assert document["item_count"] == on_node.wait(synced)["status"]["progress"]["itemsBackedUp"]
    assert document["written_by"] == "another tool"
    assert (tuple(document["proven"]), tuple(document["not_proven"])) == (
        ForeignBackup.proven,
        ForeignBackup.not_proven,
    )


def test_its_items_are_listed_and_fetched(synced: str, velero_on_node: Velero, store_url: str, filled: str) -> None:
    contents = pinnace("backup", "contents", synced, "--store", store_url).stdout.split()
    assert f"configmaps/{filled}-app/values" in contents
    velero_on_node.run("backup", "download", synced, "--output", "items.tar.gz")
    with tarfile.open(velero_on_node.home / "items.tar.gz") as archive:
        member = archive.extractfile(f"resources/configmaps/namespaces/{filled}-app/values.json")
        assert member is not None
        item = json.loads(member.read())
    extracted = pinnace("backup", "extract", synced, f"configmaps/{filled}-app/values", "--store", store_url)
    assert json.loads(extracted.stdout) == item


def test_it_is_deleted_by_our_dispatcher_and_goes_from_velero_too(
    synced: str, theirs: tuple[Velero, Stage], on_node: Installation, velero_on_node: Velero, store_url: str
) -> None:
    _, stage = theirs
    stored = BackupStore(open_bucket(store_url), synced)
    assert stored.has_objects()
    velero_on_node.run("backup", "delete", synced, "--confirm")
    on_node.cluster.wait_until(
        lambda: on_node.cluster.get(BACKUPS, synced, namespace=NAMESPACE) is None, "the backup to go"
    )
    assert not stored.has_objects()
    stage.wait(lambda: stage.objects(BACKUPS).get(synced) is None, seconds=300)
