"""The sync of Backups from a bucket: how many requests it takes, and what it must not do when the bucket misleads."""

import re
from collections import Counter
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
import pytest
from botocore.awsrequest import AWSPreparedRequest
from prometheus_client import CollectorRegistry, generate_latest

from pinnace.dispatcher.backup_sync import BackupSync
from pinnace.dispatcher.locations import Locations
from pinnace.dispatcher.upkeep_metrics import UpkeepMetrics
from pinnace.errors import KubeError
from pinnace.kube.events import EventRecorder
from unit.dispatcher.documents import NOW
from unit.store.captured_requests import Answer, bucket_that_answers, error

_PAGE = 1000
_KEY = re.compile(r"/b/backups/(.+)/velero-backup\.json")


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


class Bucket:
    """A bucket of backups that boto3 lists and reads; the metadata of each by name, None where it has none."""

    def __init__(self, *names: str) -> None:
        self.store, self._captured = bucket_that_answers()
        self._captured.on_request = self._answer
        self.metadata: dict[str, bytes | None] = {name: metadata(name) for name in names}
        self.unlisted: set[str] = set()
        self.is_cut_off = False
        self.fails_after_pages: int | None = None

    def counts(self) -> dict[str, int]:
        """How many requests of each kind came since it was last asked."""
        kinds = [
            "list" if "list-type" in str(request.url) else str(request.method) for request in self._captured.requests
        ]
        self._captured.requests.clear()
        return dict(Counter(kinds))

    def _answer(self, request: AWSPreparedRequest) -> None:
        address = urlsplit(str(request.url))
        if "list-type" in address.query:
            self._captured.scripted.append(self.listing(parse_qs(address.query)))
            return
        matched = _KEY.fullmatch(unquote(address.path))
        body = self.metadata.get(matched[1]) if matched else None
        self._captured.scripted.append(
            error(404, "NoSuchKey") if body is None else Answer(body=b"" if request.method == "HEAD" else body)
        )

    def listing(self, query: dict[str, list[str]]) -> Answer:
        begin = int(query.get("continuation-token", ["0"])[0])
        if self.fails_after_pages is not None and begin >= self.fails_after_pages * _PAGE:
            return error(403, "AccessDenied")
        names = [name for name in sorted(self.metadata) if name not in self.unlisted]
        page, end = names[begin : begin + _PAGE], begin + _PAGE
        is_truncated = end < len(names) or self.is_cut_off
        token = "" if self.is_cut_off or not is_truncated else f"<NextContinuationToken>{end}</NextContinuationToken>"
        found = "".join(f"<CommonPrefixes><Prefix>backups/{name}/</Prefix></CommonPrefixes>" for name in page)
        truncated = f"<IsTruncated>{str(is_truncated).lower()}</IsTruncated>"
        return Answer(body=f"<ListBucketResult>{truncated}{token}{found}</ListBucketResult>".encode())


def metadata(name: str, phase: str = "Completed") -> bytes:
    return orjson.dumps(
        {"kind": "Backup", "apiVersion": "velero.io/v1", "metadata": {"name": name}, "status": {"phase": phase}}
    )


class Api:
    """As much of the API server as the sync asks: it keeps Backups, and says what was told as Events."""

    def __init__(self) -> None:
        self.backups: dict[str, dict[str, Any]] = {}
        self.events: list[tuple[str, str]] = []
        self.location: dict[str, Any] = {
            "metadata": {"name": "main", "uid": "u-main"},
            "spec": {"provider": "aws"},
            "status": {"phase": "Available"},
        }
        self.refuses: dict[str, int] = {}
        self.synced = True

    def list(self) -> list[dict[str, Any]]:
        return list(self.backups.values())

    def get(self, path: str, _query: Any = None) -> Any:
        return {"items": [self.location] if path.endswith("backupstoragelocations") else []}

    def send(self, method: str, path: str, *, body: Any, **_: Any) -> Any:
        name = path.rsplit("/", maxsplit=1)[-1]
        if name == "events":
            self.events.append((body["reason"], body["message"]))
        elif method == "PATCH":
            self.location["status"] |= body["status"]
        elif method == "DELETE":
            del self.backups[name]
        elif status := self.refuses.get(body["metadata"]["name"]):
            raise KubeError(request=f"POST {path}", status=status, reason="no such phase")
        else:
            self.backups[body["metadata"]["name"]] = {**body, "metadata": {**body["metadata"], "uid": "u"}}
        return {}


class World:
    """One location, its bucket and the cluster; a look a minute."""

    def __init__(self, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
        self.api, self.bucket, self.now = Api(), bucket, NOW
        self.registry = CollectorRegistry()
        client: Any = self.api
        locations = Locations(client, namespace="velero")
        monkeypatch.setattr(locations, "open_document", lambda _: bucket.store)
        self.sync = BackupSync(
            client,
            namespace="velero",
            backups=self.api,
            locations=locations,
            period_seconds=60.0,
            metrics=UpkeepMetrics(self.registry),
            events=EventRecorder(client, namespace="velero", component="test"),
            clock=lambda: self.now,
        )

    def look(self, *, minutes: float = 1) -> dict[str, int]:
        """Let time pass, look, and count the requests."""
        self.now += timedelta(minutes=minutes)
        self.sync.look()
        return self.bucket.counts()

    def metrics(self) -> list[str]:
        return [line for line in generate_latest(self.registry).decode().splitlines() if "{" in line]


def finished(world: World) -> None:
    """Look until a whole round is done, as the controller does every few seconds."""
    for _ in range(9):
        world.look(minutes=0.1)
    assert "lastSyncedTime" in world.api.location["status"]


def test_2000_backups_take_a_bounded_number_of_requests_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"nightly-{number:04}" for number in range(2000)]
    world = World(Bucket(*names), monkeypatch)
    assert [world.look(minutes=0.1) for _ in range(4)] == [{"list": 2, "GET": 500}] * 4
    assert sorted(world.api.backups) == names
    assert world.look() == {"list": 2}
    assert world.look(minutes=0.5) == {}, "the period is not over"
    world.bucket.metadata["new"] = metadata("new")
    assert world.look() == {"list": 3, "GET": 1}
    assert world.api.events == []


def test_logs_of_failed_backups_are_not_asked_for_again_each_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(Bucket("good"), monkeypatch)
    world.bucket.metadata |= {f"failed-{number}": None for number in range(50)}
    # A read that finds nothing costs a HEAD too, which tells a missing object from a missing backup.
    assert world.look() == {"list": 1, "GET": 51, "HEAD": 50}
    assert [world.look().get("GET", 0) for _ in range(15)] == [50, 0, 50, 0, 0, 0, 50, *[0] * 7, 50]
    assert (world.api.events, sorted(world.api.backups)) == ([], ["good"])


def test_backups_that_can_not_be_read_are_told_and_the_others_are_synced(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(Bucket("a-copy", "broken", "fine", "odd", "refused", "running"), monkeypatch)
    world.bucket.metadata |= {
        "a-copy": metadata("fine"),
        "broken": b"{",
        "odd": b'{"kind":"Backup","apiVersion":"velero.io/v1","metadata":[]}',
        "running": metadata("running", "InProgress"),
    }
    world.api.refuses["refused"] = 422
    world.look()
    assert sorted(world.api.backups) == ["fine"]
    assert world.api.events == [
        ("BackupNotSynced", f"backup {name} can't be synced: {reason}")
        for name, reason in [
            ("a-copy", "its metadata.name is 'fine': it is the copy of another backup"),
            ("broken", "its velero-backup.json is malformed: unexpected end of data: line 1 column 2 (char 1)"),
            ("odd", "its metadata.name is '': it is the copy of another backup"),
            ("refused", "POST /apis/velero.io/v1/namespaces/velero/backups: no such phase"),
            ("running", "its status.phase is 'InProgress', which is not the end of a backup"),
        ]
    ]
    assert 'pinnace_backup_sync_unreadable{backup_location_name="main"} 5.0' in world.metrics()
    assert "lastSyncedTime" in world.api.location["status"]


def test_many_unreadable_ones_are_told_as_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(Bucket(), monkeypatch)
    world.bucket.metadata |= {f"{number:02}": b"{" for number in range(40)}
    world.look()
    assert len(world.api.events) == 11
    assert world.api.events[-1] == ("BackupNotSynced", "40 backups can't be synced, 10 are told each")


def test_a_backup_whose_data_is_gone_is_removed_after_the_bucket_was_asked_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(Bucket("a", "b"), monkeypatch)
    finished(world)
    world.bucket.counts()
    del world.bucket.metadata["a"]
    assert world.look() == {"list": 1, "HEAD": 1}
    assert sorted(world.api.backups) == ["b"]
    assert 'pinnace_backup_sync_orphans_total{backup_location_name="main"} 1.0' in world.metrics()


def test_a_listing_that_leaves_out_what_is_there_removes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(Bucket("a", "b", "c"), monkeypatch)
    finished(world)
    world.bucket.unlisted = {"b"}
    del world.bucket.metadata["a"]
    world.look()
    assert sorted(world.api.backups) == ["a", "b", "c"], (
        "not even the one that is gone: the listing is not to be trusted"
    )
    assert world.api.events == [
        ("OrphansKept", "its listing leaves out backup b, which is there; nothing is removed"),
    ]


@pytest.mark.parametrize("names", [1100, 3])
def test_a_listing_that_is_cut_off_removes_nothing(names: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(Bucket(*(f"{number:04}" for number in range(names))), monkeypatch)
    finished(world)
    world.bucket.is_cut_off = True
    world.bucket.metadata = dict(list(world.bucket.metadata.items())[1:])
    world.look()
    assert len(world.api.backups) == names
    [(reason, message)] = world.api.events
    assert reason == "SyncFailed"
    assert "the listing is cut off" in message


def test_a_listing_that_fails_on_its_second_page_removes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(Bucket(*(f"{number:04}" for number in range(1100))), monkeypatch)
    finished(world)
    world.bucket.fails_after_pages = 1
    before = world.api.location["status"]["lastSyncedTime"]
    world.look()
    assert (len(world.api.backups), world.api.location["status"]["lastSyncedTime"]) == (1100, before)
    assert [reason for reason, _ in world.api.events] == ["SyncFailed"]


def test_a_bucket_that_lists_nothing_at_all_removes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(Bucket("a", "b"), monkeypatch)
    finished(world)
    world.bucket.metadata.clear()
    world.look()
    assert sorted(world.api.backups) == ["a", "b"]
    assert world.api.events == [("OrphansKept", "it lists no backup at all, so its 2 Backups are kept")]


def test_a_backup_that_ends_while_the_bucket_is_listed_is_no_orphan(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(Bucket("a"), monkeypatch)
    finished(world)
    running = {"metadata": {"name": "b", "uid": "u", "labels": {"velero.io/storage-location": "main"}}}
    world.api.backups["b"] = {**running, "status": {"phase": "InProgress"}}
    listing = world.bucket.listing

    def ends_meanwhile(query: Any) -> Answer:
        world.api.backups["b"] = {**running, "status": {"phase": "Completed"}}
        return listing(query)

    monkeypatch.setattr(world.bucket, "listing", ends_meanwhile)
    assert world.look() == {"list": 1}, "not even asked for"
    assert sorted(world.api.backups) == ["a", "b"]


def test_an_api_server_that_is_away_ends_the_round_and_the_next_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(Bucket("a", "b", "c"), monkeypatch)
    world.api.refuses["b"] = 503
    world.look()
    assert (sorted(world.api.backups), [reason for reason, _ in world.api.events]) == (["a"], ["SyncFailed"])
    world.api.refuses.clear()
    world.look()
    assert sorted(world.api.backups) == ["a", "b", "c"]


def test_read_only_locations_are_synced_and_those_that_are_away_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(Bucket("a"), monkeypatch)
    world.api.location["status"]["phase"] = "Unavailable"
    assert world.look() == {}
    world.api.location |= {"spec": {"accessMode": "ReadOnly"}, "status": {"phase": "Available"}}
    assert world.look() == {"list": 1, "GET": 1}
