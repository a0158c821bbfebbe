"""Claims of a volume group that have a snapshot each are told, once for each group."""

from typing import Any

import pytest

from pinnace.backup.volume_groups import VolumeGroups
from pinnace.velero.backup import BackupSpec
from pinnace.velero.results import Entry, Results

_KEY = "velero.io/volume-group"


def claim(name: str, *, namespace: str = "shop", **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, "labels": labels}}


def warned(
    *claims: dict[str, Any], key: str = "", taken: set[tuple[str, str]] | None = None
) -> list[tuple[str | None, str]]:
    groups = VolumeGroups(BackupSpec(others={"volumeGroupSnapshotLabelKey": key} if key else {}))
    for one in claims:
        groups.add(one)
    results = Results()
    everyone = {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in claims}
    groups.warn(everyone if taken is None else taken, results=results)
    entries: list[Entry] = list(results.entries())
    return [(entry.namespace, entry.message.split("not there yet: ")[1].split(" have")[0]) for entry in entries]


def test_one_warning_a_group_and_namespace_names_its_claims() -> None:
    db = {_KEY: "db"}
    claims = (
        claim("b", **db),
        claim("a", **db),
        claim("c", namespace="bank", **db),
        claim("d", namespace="bank", **db),
    )
    assert warned(*claims, claim("e", **{_KEY: "web"}), claim("f")) == [("bank", "c, d"), ("shop", "a, b")]


def test_only_those_whose_snapshot_was_taken_count() -> None:
    claims = [claim(name, **{_KEY: "db"}) for name in "abc"]
    assert warned(*claims, taken={("shop", "a"), ("shop", "c")}) == [("shop", "a, c")]
    assert warned(*claims, taken={("shop", "a")}) == []


@pytest.mark.parametrize("key", ["own/group", ""])
def test_the_label_is_that_of_the_backup_or_veleros(key: str) -> None:
    claims = [claim(name, **{key or _KEY: "x", "other": "x"}) for name in "ab"]
    assert warned(*claims, key=key) == [("shop", "a, b")]
    assert warned(*claims, key="another/key") == []


def test_no_value_is_no_group_and_of_many_claims_the_first_are_named() -> None:
    assert warned(claim("a", **{_KEY: ""}), claim("b", **{_KEY: ""})) == []
    found = warned(*(claim(f"c{number:02}", **{_KEY: "x"}) for number in range(23)))
    assert [text.endswith("c19 and 3 more") for _, text in found] == [True]
