"""Schedules by the real velero CLI, against our dispatcher; and what our own command line shows of them."""

import re

import pytest
from typer.testing import CliRunner

from e2e_velero.velero_program import Velero, lines_of
from integration.dispatcher_process import Stage, phase
from pinnace.cli.main import app
from pinnace.kube.kinds import BACKUPS, SCHEDULES

_ENDED = "PartiallyFailed"
"""The samples have an API that does not answer."""

pytestmark = pytest.mark.usefixtures("credentials")


def ours(stage: Stage, *arguments: str) -> list[str]:
    flags = (f"--namespace={stage.namespace}", f"--kubeconfig={stage.kubeconfig}")
    shown = CliRunner().invoke(app, [*arguments, *flags])
    assert shown.exit_code == 0, shown.output
    return lines_of(shown.stdout)


def test_a_schedule_is_created_shown_paused_used_and_deleted(velero: Velero, stage: Stage) -> None:
    created = velero.run(
        "schedule", "create", "weekly", "--schedule", "0 3 * * 0", "--include-namespaces", "default", "--ttl", "48h",
        "--labels", "team=shop", "--selector", "app=web",
    )  # fmt: skip
    assert created == 'Schedule "weekly" created successfully.\n'
    stage.wait(lambda: phase(stage.objects(SCHEDULES).get("weekly") or {}) == "Enabled")
    theirs = lines_of(velero.run("schedule", "get"))
    row = r"weekly  Enabled  \S+ \S+ \+0000 UTC  0 3 \* \* 0  48h0m0s  n/a  app=web  "
    assert re.fullmatch(row + "false", theirs[1])
    assert ours(stage, "schedule", "get") == theirs

    paused = velero.run("schedule", "pause", "weekly")
    assert paused.splitlines()[-1] == "Schedule weekly paused successfully"
    assert ours(stage, "schedule", "pause", "weekly") == ["Schedule weekly is already paused, skip"]
    assert lines_of(velero.run("schedule", "get", "weekly"))[1].endswith("  true")
    assert ours(stage, "schedule", "unpause", "weekly") == ["Schedule weekly unpaused successfully"]

    velero.run("backup", "create", "by-hand", "--from-schedule", "weekly", "--wait")
    backup = stage.backup("by-hand")
    assert phase(backup) == _ENDED
    assert (backup["metadata"]["labels"]["velero.io/schedule-name"], backup["spec"]["ttl"]) == ("weekly", "48h0m0s")

    deleted = velero.run("schedule", "delete", "weekly", "--confirm")
    assert lines_of(deleted) == ["Schedule deleted: weekly"]
    assert stage.objects(SCHEDULES).get("weekly") is None
    assert stage.objects(BACKUPS).get("by-hand") is not None


def test_one_whose_time_has_passed_makes_a_backup_that_the_cli_sees(velero: Velero, stage: Stage) -> None:
    velero.run("schedule", "create", "often", "--schedule", "@every 30h", "--include-namespaces", "default", "--paused")
    stage.wait(lambda: stage.objects(SCHEDULES).get("often"))
    stage.objects(SCHEDULES).merge_patch("often", {"status": {"lastBackup": "2026-01-01T00:00:00Z"}})
    velero.run("schedule", "unpause", "often")

    def made() -> list[str]:
        found = stage.objects(BACKUPS).list(label_selector="velero.io/schedule-name=often")
        return [str(backup["metadata"]["name"]) for backup in found if phase(backup) == _ENDED]

    stage.wait(made)
    [name] = made()
    assert re.fullmatch(r"often-[0-9]{8}(00|06|12|18)0000", name)
    assert "often" in velero.run("schedule", "describe", "often")
    assert re.fullmatch(r"often  Enabled  .*  @every 30h  0s  [0-9]+[smh] ago  <none>  false",
                        lines_of(velero.run("schedule", "get", "often"))[1])  # fmt: skip
