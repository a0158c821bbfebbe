"""Snapshotters of others: found by entry points, and told by name where they can't be used."""

from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from pinnace.errors import VolumeError
from pinnace.velero.backup import Backup
from pinnace.volumes import registry
from pinnace.volumes.native import NativeSnapshots
from pinnace.volumes.registry import known_providers, load_snapshotter
from pinnace.volumes.snapshotter import ENTRY_POINT_GROUP, SnapshotterConfig


class BrokenSnapshotter:
    """A plug-in that knows every volume and can't take a snapshot of any."""

    def __init__(self, config: SnapshotterConfig) -> None:
        if config.config.get("broken"):
            raise ValueError("no such disk array")

    def volume_id(self, volume: Any) -> str:
        return str(volume["metadata"]["name"])

    def volume_kind(self, volume_id: str, *, zone: str) -> Any:
        del volume_id, zone
        raise KeyError("kind")


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def add(name: str) -> None:
        entry = EntryPoint(name, f"{__name__}:BrokenSnapshotter", ENTRY_POINT_GROUP)
        monkeypatch.setattr(registry, "entry_points", lambda *, group: [entry] if group == ENTRY_POINT_GROUP else [])
        monkeypatch.setattr(EntryPoint, "load", lambda _: BrokenSnapshotter)

    return add


def test_an_installed_package_adds_a_provider(register: Callable[[str], None]) -> None:
    register("example.com/array")
    assert known_providers() == {"velero.io/aws", "example.com/array"}
    assert isinstance(load_snapshotter("example.com/array", SnapshotterConfig("array")), BrokenSnapshotter)


def test_a_provider_without_a_snapshotter_is_named_with_its_location() -> None:
    with pytest.raises(VolumeError) as raised:
        load_snapshotter("gcp", SnapshotterConfig("main"))
    assert str(raised.value) == (
        "VolumeSnapshotLocation main: provider gcp has no snapshotter here; known are velero.io/aws; "
        "install a package that registers it, or leave the location out"
    )


def test_one_that_can_not_be_made_is_named_too(register: Callable[[str], None]) -> None:
    register("array")
    with pytest.raises(VolumeError) as raised:
        load_snapshotter("velero.io/array", SnapshotterConfig("main", {"broken": "1"}))
    assert str(raised.value) == "VolumeSnapshotLocation main: its snapshotter can't be used: no such disk array"


def test_whatever_a_plug_in_raises_is_an_error_of_that_volume() -> None:
    broken: Any = BrokenSnapshotter(SnapshotterConfig("main"))
    native = NativeSnapshots(Backup("b"), [("main", broken)], now=lambda: "now")
    with pytest.raises(VolumeError, match=r"^KeyError\('kind'\)$"):
        native.take({"metadata": {"name": "pv"}, "spec": {}})
    assert [(one.volume_id, one.phase) for one in native.snapshots] == [("pv", "Failed")]
