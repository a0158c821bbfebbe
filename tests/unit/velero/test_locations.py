"""The rules of locations, with Velero's texts, literal."""

from typing import Any

import pytest

from pinnace.velero.locations import ChosenLocation, Unreadable, choose_location, choose_snapshot_locations


def location(name: str, *, phase: str = "Available", provider: str = "aws", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"provider": provider, **spec}, "status": {"phase": phase}}


_MAIN, _MARKED, _OTHER = location("main"), location("marked", default=True), location("other", default=True)
_NOT_SPECIFIED = "an existing backup storage location was not specified at backup creation time"
_ADVICE = "Please address this issue (see `velero backup-location -h` for options) and create a new backup. Error: "


@pytest.mark.parametrize(
    ("named", "locations", "chosen"),
    [
        ("", [_MAIN], ("main", _MAIN)),
        ("", [_MAIN, _MARKED, _OTHER], ("marked", _MARKED)),
        ("other", [_MAIN, _MARKED, _OTHER], ("other", _OTHER)),
        ("main", [_MAIN, location("aws", provider="velero.io/aws")], ("main", _MAIN)),
    ],
)
def test_the_named_location_is_taken_else_the_first_marked_one_else_the_servers(
    named: str, locations: list[dict[str, Any]], chosen: tuple[str, dict[str, Any]]
) -> None:
    assert choose_location(named, locations, server_default="main") == ChosenLocation(*chosen, ())


@pytest.mark.parametrize(
    ("named", "locations", "name", "errors"),
    [
        (
            "",
            [],
            "main",
            [
                (
                    f"{_NOT_SPECIFIED} and the server default main does not exist. {_ADVICE}"
                    'BackupStorageLocation.velero.io "main" not found'
                )
            ],
        ),
        (
            "gone",
            [_MAIN],
            "gone",
            [
                (
                    f"{_NOT_SPECIFIED} and the default gone was not found. {_ADVICE}"
                    'BackupStorageLocation.velero.io "gone" not found'
                )
            ],
        ),
        ("", Unreadable("forbidden"), "main", ["error getting backup storage location: forbidden"]),
        ("x", Unreadable("forbidden"), "x", ["error getting backup storage location: forbidden"]),
        (
            "x",
            [location("x", phase="Unavailable", accessMode="ReadOnly")],
            "x",
            [
                "backup can't be created because backup storage location x is currently in read-only mode",
                "backup can't be created because BackupStorageLocation x is in Unavailable status.",
            ],
        ),
        (
            "x",
            [{"metadata": {"name": "x"}, "spec": {"provider": "aws", "accessMode": "ReadWrite"}}],
            "x",
            ["backup can't be created because BackupStorageLocation x is in Unavailable status."],
        ),
        (
            "x",
            [location("x", provider="azure")],
            "x",
            ["backup storage location x has provider azure, which is not there yet; use a location of provider aws"],
        ),
    ],
)
def test_a_location_that_can_not_be_used_is_an_error(
    named: str, locations: list[dict[str, Any]] | Unreadable, name: str, errors: list[str]
) -> None:
    chosen = choose_location(named, locations, server_default="main")
    assert (chosen.name, list(chosen.errors)) == (name, errors)


_A, _B, _GCP = location("a"), location("b"), location("g", provider="gcp")


@pytest.mark.parametrize(
    ("named", "locations", "defaults", "names", "errors"),
    [
        ([], [], {}, [], []),
        ([], [_A, _GCP], {}, ["a", "g"], []),
        (["b"], [_A, _B, _GCP], {}, ["b", "g"], []),
        (["b", "b"], [_A, _B], {}, ["b"], []),
        ([], [_A, _B], {"aws": "b"}, ["b"], []),
        (
            [],
            [_A, _B, _GCP],
            {},
            [],
            [
                (
                    "provider aws has more than one possible volume snapshot location, and none were specified "
                    "explicitly or as a default"
                )
            ],
        ),
        (
            [],
            [_A, _B],
            {"aws": "x"},
            [],
            ['error getting volume snapshot location named x: VolumeSnapshotLocation.velero.io "x" not found'],
        ),
        (
            ["x", "a", "b"],
            [_A, _B],
            {},
            [],
            [
                (
                    "a VolumeSnapshotLocation CRD for the location x with the name specified in the backup spec "
                    "needs to be created before this snapshot can be executed. "
                    'Error: VolumeSnapshotLocation.velero.io "x" not found'
                ),
                "more than one VolumeSnapshotLocation name specified for provider aws: b; unexpected name was a",
            ],
        ),
        (
            ["a", "b"],
            Unreadable("forbidden"),
            {},
            [],
            [
                "error getting volume snapshot location named a: forbidden",
                "error getting volume snapshot location named b: forbidden",
            ],
        ),
        ([], Unreadable("forbidden"), {}, [], ["error listing volume snapshot locations: forbidden"]),
    ],
)
def test_there_is_one_snapshot_location_for_each_provider(
    named: list[str],
    locations: list[dict[str, Any]] | Unreadable,
    defaults: dict[str, str],
    names: list[str],
    errors: list[str],
) -> None:
    chosen = choose_snapshot_locations(named, locations, server_defaults=defaults)
    assert chosen == (tuple(names), tuple(errors))
