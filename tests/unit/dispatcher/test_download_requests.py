"""What becomes of a DownloadRequest that can't be answered: an Event says why, and nothing is written."""

from pathlib import Path
from typing import Any

import pytest

from pinnace.dispatcher.download_requests import DownloadRequestController
from pinnace.dispatcher.locations import Locations
from pinnace.errors import DownloadRefusedError, PinnaceError, StoreError, StoreUnavailableError
from pinnace.kube.events import EventRecorder
from pinnace.store.filesystem import FilesystemStore
from unit.dispatcher.documents import NOW, later


class Api:
    """A request, the Backup `b`, and what was written."""

    def __init__(self, kind: str) -> None:
        metadata = {"name": "r", "uid": "u", "creationTimestamp": later(-1)}
        self.request = {"metadata": metadata, "spec": {"target": {"kind": kind, "name": "b"}}}
        self.events: list[tuple[str, str]] = []
        self.patches: list[Any] = []

    def get(self, path: str, *_: Any, **__: Any) -> Any:
        """The copy of the request, or the Backup of the API server."""
        return self.request if path == "r" else {"metadata": {"name": "b"}, "spec": {"storageLocation": "main"}}

    def send(self, method: str, path: str, *, body: Any, **_: Any) -> Any:
        if path.endswith("/events"):
            self.events.append((body["reason"], body["message"]))
        else:
            self.patches.append((method, body))
        return {}


def reconcile(api: Api, monkeypatch: pytest.MonkeyPatch, *, store: Any) -> None:
    client: Any = api
    locations = Locations(client, namespace="velero")
    monkeypatch.setattr(locations, "open", lambda _: store)
    events = EventRecorder(client, namespace="velero", component="test")
    made = DownloadRequestController(client, namespace="velero", locations=locations, events=events, clock=lambda: NOW)
    monkeypatch.setattr(made, "_copies", api)
    made.reconcile("r")


class Away:
    """A bucket that does not answer."""

    def presigned_get(self, _key: str, *, expires_seconds: int) -> str:
        raise StoreUnavailableError(location="bucket b", action="presign", reason=f"no answer in {expires_seconds} s")


@pytest.mark.parametrize("kind", ["BackupItemSnapshots", "", "backuplog"])
def test_a_kind_that_nobody_knows_gets_no_url(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Velero 1.9's own CRD has kinds that 1.18 has no more, so that the API server takes them."""
    api = Api(kind)
    with pytest.raises(DownloadRefusedError):
        reconcile(api, monkeypatch, store=FilesystemStore(tmp_path))
    assert (api.events, api.patches) == (
        [("NoURL", f"DownloadRequest r: {kind} is no kind of download")],
        [],
    )


def test_what_lies_in_a_folder_has_no_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    api = Api("BackupLog")
    with pytest.raises(StoreError):
        reconcile(api, monkeypatch, store=FilesystemStore(tmp_path))
    [(reason, message)] = api.events
    assert (reason, "a folder has no URLs" in message, api.patches) == ("NoURL", True, [])


def test_a_bucket_that_is_away_is_no_event_but_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api("BackupLog")
    with pytest.raises(PinnaceError):
        reconcile(api, monkeypatch, store=Away())
    assert (api.events, api.patches) == ([], [])
