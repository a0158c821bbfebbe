"""The Backup that a Schedule makes, and what is wrong with a Schedule."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from pinnace.velero.schedule import backup_name, made_backup, read_cron

_DUE = datetime(2026, 1, 2, 2, 0, tzinfo=UTC)


def schedule(name: str = "nightly", *, template: Any = None, expression: str = "0 2 * * *", **spec: Any) -> Any:
    metadata = {"name": name, "namespace": "velero", "uid": "u-1"}
    return {"metadata": metadata, "spec": {"schedule": expression, "template": template or {}, **spec}}


def test_labels_annotations_and_the_template_are_handed_on() -> None:
    document = schedule(template={"includedNamespaces": ["shop"], "ttl": "24h0m0s"})
    document["metadata"] |= {
        "labels": {"team": "a"},
        "annotations": {"why": "audit", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
    }
    assert made_backup(document, _DUE) == {
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {
            "name": "nightly-20260102020000",
            "namespace": "velero",
            "labels": {"team": "a", "velero.io/schedule-name": "nightly"},
            "annotations": {"why": "audit"},
        },
        "spec": {"includedNamespaces": ["shop"], "ttl": "24h0m0s"},
    }


def test_the_templates_labels_are_taken_in_place_of_the_schedules() -> None:
    document = schedule(template={"metadata": {"labels": {"kept": "long"}}})
    document["metadata"]["labels"] = {"team": "a"}
    labels = made_backup(document, _DUE)["metadata"]["labels"]
    assert labels == {"kept": "long", "velero.io/schedule-name": "nightly"}


@pytest.mark.parametrize(("wanted", "owners"), [(None, None), (False, None), (True, ["Schedule"])])
def test_the_schedule_owns_its_backups_only_if_it_says_so(wanted: bool | None, owners: list[str] | None) -> None:
    metadata = made_backup(schedule(useOwnerReferencesInBackup=wanted), _DUE)["metadata"]
    assert metadata.get("ownerReferences") == (
        [{"apiVersion": "velero.io/v1", "kind": "Schedule", "name": "nightly", "uid": "u-1", "controller": True}]
        if owners
        else None
    )


def test_a_due_time_has_one_name_in_every_zone() -> None:
    assert backup_name("a", _DUE) == backup_name("a", _DUE.astimezone(timezone(timedelta(hours=5))))


def test_a_long_name_is_shortened_in_the_label_only() -> None:
    metadata = made_backup(schedule("n" * 70), _DUE)["metadata"]
    assert metadata["name"] == "n" * 70 + "-20260102020000"
    assert len(metadata["labels"]["velero.io/schedule-name"]) == 63


@pytest.mark.parametrize(
    ("document", "errors"),
    [
        (schedule(), ()),
        (schedule(expression=""), ("Schedule must be a non-empty valid Cron expression",)),
        ({"metadata": {"name": "bare"}}, ("Schedule must be a non-empty valid Cron expression",)),
        (schedule(expression="99 * * * *"), ("invalid schedule: '99 * * * *': bad minute",)),
        (
            schedule("n" * 240),
            (f"invalid schedule: the names of its backups would be longer than 253 characters: {'n' * 240}",),
        ),
    ],
)
def test_the_errors_are_veleros(document: Any, errors: tuple[str, ...]) -> None:
    cron, found = read_cron(document)
    assert (found, cron is None) == (errors, bool(errors))
