"""When expired Backups are looked for: once an hour, and as soon as one comes that has expired already."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from pinnace.dispatcher.garbage_collector import GarbageCollector
from pinnace.dispatcher.locations import Locations
from pinnace.dispatcher.upkeep_metrics import UpkeepMetrics
from pinnace.errors import KubeError
from pinnace.kube.events import EventRecorder
from unit.dispatcher.documents import NOW, later


class Api:
    """Backups as copies, a location, and the requests that were made."""

    def __init__(self, *backups: dict[str, Any]) -> None:
        self.backups = list(backups)
        self.asked: list[str] = []
        self.refuses: set[str] = set()
        self.synced = True

    def list(self) -> list[dict[str, Any]]:
        return self.backups

    def get(self, path: str, *_: Any) -> Any:
        location = {"metadata": {"name": "main"}, "status": {"phase": "Available"}}
        return {"items": [location] if path.endswith("locations") else []}

    def send(self, method: str, path: str, *, body: Any, **_: Any) -> Any:
        if path.endswith("deletebackuprequests"):
            name = body["spec"]["backupName"]
            if name in self.refuses:
                raise KubeError(request=f"{method} {path}", status=403, reason="no")
            self.asked.append(name)
        return {}


def backup(name: str, *, expires: float) -> dict[str, Any]:
    metadata = {"name": name, "uid": f"uid-of-{name}", "creationTimestamp": later(-86400)}
    status = {"phase": "Completed", "startTimestamp": later(-86400), "expiration": later(expires)}
    return {"metadata": metadata, "spec": {"storageLocation": "main"}, "status": status}


class Clock:
    def __init__(self) -> None:
        self.now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def minutes(self, passed: float) -> None:
        self.now += timedelta(minutes=passed)


def collector(api: Api, clock: Clock) -> GarbageCollector:
    client: Any = api
    return GarbageCollector(
        client,
        namespace="velero",
        backups=api,
        locations=Locations(client, namespace="velero"),
        frequency_seconds=3600.0,
        guard=True,
        metrics=UpkeepMetrics(CollectorRegistry()),
        events=EventRecorder(client, namespace="velero", component="test"),
        clock=clock,
    )


@pytest.mark.parametrize(("minutes", "asked"), [(59, ["old"]), (60, ["old", "old", "new"]), (-1, ["old", "old"])])
def test_one_that_expires_waits_for_the_next_look_whatever_the_clock_does(minutes: float, asked: list[str]) -> None:
    api, clock = Api(backup("old", expires=-3600), backup("new", expires=300)), Clock()
    made = collector(api, clock)
    made.look()
    clock.minutes(minutes)
    made.look()
    assert api.asked == asked


def test_one_that_comes_and_has_expired_already_goes_at_once() -> None:
    api, clock = Api(), Clock()
    made = collector(api, clock)
    made.look()
    api.backups += [backup("of-an-old-bucket", expires=-1), backup("young", expires=86400)]
    clock.minutes(1)
    made.look()
    assert api.asked == ["of-an-old-bucket"]
    clock.minutes(1)
    made.look()
    assert api.asked == ["of-an-old-bucket"], "it is looked at once, and then each hour"


def test_nothing_is_looked_at_before_all_backups_are_known() -> None:
    api, clock = Api(backup("old", expires=-1)), Clock()
    made, api.synced = collector(api, clock), False
    made.look()
    assert api.asked == []
    api.synced = True
    made.look()
    assert api.asked == ["old"]


def test_one_whose_deletion_is_refused_does_not_keep_the_others() -> None:
    api, clock = Api(backup("a", expires=-1), backup("b", expires=-1)), Clock()
    api.refuses = {"a"}
    collector(api, clock).look()
    assert api.asked == ["b"]
