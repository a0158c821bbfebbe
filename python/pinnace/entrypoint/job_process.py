"""One attempt of a Job: reads its Backup, makes it by the same pipeline as a local run, and says what became of it."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pinnace.backup import run as pipeline
from pinnace.dispatcher import termination
from pinnace.dispatcher.job import CREDENTIALS_FOLDER, EXIT_ANOTHER_ATTEMPT
from pinnace.dispatcher.locations import ca_certificate
from pinnace.entrypoint.status_reporter import StatusReporter
from pinnace.errors import (
    AttemptLostError,
    KubeError,
    LocationError,
    PinnaceError,
    StoreUnavailableError,
)
from pinnace.kube.client import Client
from pinnace.kube.kinds import BACKUP_STORAGE_LOCATIONS, BACKUPS, SECRETS
from pinnace.kube.objects import Objects
from pinnace.store.backup_store import BackupStore
from pinnace.store.location import open_location
from pinnace.store.object_store import ObjectStore
from pinnace.velero.backup import Backup
from pinnace.velero.timestamps import timestamp

__all__ = ["ATTEMPT_ID_ANNOTATION", "JobProcess", "JobSurroundings"]

ATTEMPT_ID_ANNOTATION = "pinnace.io/attempt-id"
"""On the Backup: the uid of the pod that may commit it."""

_TERMINATION_LOG = Path("/dev/termination-log")
_STATUS_SECONDS = 600.0
"""How long the last status is tried for: what is in the bucket by then must not stay unknown for a short outage."""

_BEFORE_START = (None, "", "New", "Queued", "ReadyToStart")
_START_LOOKS = 30
_START_LOOK_SECONDS = 2.0
_START_SECONDS = 60.0
"""How long the API server may be away, and the rights may be late, at the start."""

Answer = TypeVar("Answer")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobSurroundings:
    """What the Job's manifest gives: `attempt_id` is the pod's uid, `credentials_file` the mounted Secret, if any."""

    namespace: str
    backup_name: str
    backup_uid: str
    attempt_id: str
    credentials_file: Path = Path(CREDENTIALS_FOLDER, "cloud")
    termination_log: Path = _TERMINATION_LOG


class JobProcess:
    """One attempt."""

    def __init__(
        self,
        client: Client,
        surroundings: JobSurroundings,
        *,
        options: pipeline.RunOptions,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._surroundings = surroundings
        self._options = options
        self._clock = clock
        self._sleep = sleep
        self._backups = Objects(client, BACKUPS, namespace=surroundings.namespace)

    def run(self) -> int:
        """Give the process's exit code: 0 reported, 1 failed for good and reported, 75 another attempt may end better.

        A signal passes through as InterruptedRun, after uploads were aborted: the Job, or who deleted it, knows more.
        """
        try:
            document = self._patiently(self._claim, seconds=_START_SECONDS)
        except AttemptLostError as error:
            _log.warning("%s", error)
            self._say(termination.Termination(reason=str(error)))
            return 0
        except KubeError as error:
            self._say(termination.Termination(reason=str(error)))
            return EXIT_ANOTHER_ATTEMPT
        reporter = StatusReporter(self._backups, self._surroundings.backup_name)
        try:
            with reporter:
                status, ended = self._make(document, reporter)
        except AttemptLostError as error:
            _log.warning("%s", error)
            self._say(termination.Termination(reason=str(error)))
            return 0
        except PinnaceError as error:
            return self._failed(error)
        self._say(ended)
        self._report(status)
        return 0

    def _claim(self) -> dict[str, Any]:
        """Read the Backup and write into it that this attempt makes it; AttemptLostError where it is not to be made.

        Who resumes Jobs by another rule than the dispatcher's (Kueue) may do so before the Backup is InProgress.
        """
        document = self._read_own(waits=True)
        patch = {"metadata": {"annotations": {ATTEMPT_ID_ANNOTATION: self._surroundings.attempt_id}}}
        claimed = self._backups.merge_patch(self._surroundings.backup_name, patch)
        if claimed is None:
            raise AttemptLostError(backup_name=document["metadata"]["name"])
        return claimed

    def _read_own(self, *, waits: bool = False) -> dict[str, Any]:
        for _ in range(_START_LOOKS):
            document = self._backups.get(self._surroundings.backup_name)
            phase = ((document or {}).get("status") or {}).get("phase")
            if document is None or document["metadata"]["uid"] != self._surroundings.backup_uid:
                break
            if phase == "InProgress":
                return document
            if not waits or phase not in _BEFORE_START:
                break
            self._sleep(_START_LOOK_SECONDS)
        raise AttemptLostError(backup_name=self._surroundings.backup_name)

    def _may_commit(self) -> None:
        """An attempt that lost its node may live on: only the one that the Backup names may write the end."""

        def check() -> None:
            annotations = self._read_own()["metadata"].get("annotations") or {}
            if annotations.get(ATTEMPT_ID_ANNOTATION) != self._surroundings.attempt_id:
                raise AttemptLostError(backup_name=self._surroundings.backup_name)

        self._patiently(check, seconds=_START_SECONDS)

    def _make(
        self, document: Mapping[str, Any], reporter: StatusReporter
    ) -> tuple[dict[str, Any], termination.Termination]:
        store = BackupStore(self._open(document), self._surroundings.backup_name)
        # An earlier attempt may have committed, and died before it could say so.
        if (committed := store.committed_status(uid=self._surroundings.backup_uid)) is not None:
            return committed, termination.Termination()
        started = time.monotonic()
        outcome = pipeline.make(
            Backup.from_document(document),
            client=self._client,
            store=store,
            options=self._options,
            observer=reporter,
            clock=self._clock,
            may_commit=self._may_commit,
        )
        return outcome.backup.status.to_document(), termination.Termination(
            archive_bytes=outcome.digest.archive_bytes,
            item_count=outcome.digest.item_count,
            page_bytes=sum(collected.page_bytes for collected in outcome.lists),
            list_seconds=round(time.monotonic() - started, 3),
            throttled_count=self._client.throttled_count,
        )

    def _open(self, document: Mapping[str, Any]) -> ObjectStore:
        namespace, name = self._surroundings.namespace, str(document["spec"].get("storageLocation") or "")
        location = Objects(self._client, BACKUP_STORAGE_LOCATIONS, namespace=namespace).get(name)
        if location is None:
            raise LocationError(location_name=name, reason="it does not exist")
        file = self._surroundings.credentials_file
        ca_cert = ca_certificate(location, Objects(self._client, SECRETS, namespace=namespace))
        return open_location(location, credentials_file=file if file.exists() else None, ca_cert=ca_cert)

    def _failed(self, error: PinnaceError) -> int:
        reason = "; ".join([str(error), *getattr(error, "__notes__", ())])
        _log.error("%s", reason)
        self._say(termination.Termination(reason=reason))
        if _is_passing(error):
            return EXIT_ANOTHER_ATTEMPT
        self._report(
            {"phase": "Failed", "failureReason": reason, "completionTimestamp": timestamp(self._clock())},
        )
        return 1

    def _report(self, status: Mapping[str, Any]) -> None:
        """Write the last status; one that can't be written is taken from the bucket by the dispatcher."""
        wanted = {**status, "failureReason": status.get("failureReason")}
        try:
            self._patiently(
                lambda: self._backups.merge_patch(self._surroundings.backup_name, {"status": wanted}),
                seconds=_STATUS_SECONDS,
            )
        except KubeError as error:
            _log.error("the last status can't be written: %s", error)

    def _say(self, ended: termination.Termination) -> None:
        try:
            self._surroundings.termination_log.write_text(termination.write(ended))
        except OSError as error:
            _log.warning("the termination message can't be written: %s", error)

    def _patiently(self, ask: Callable[[], Answer], *, seconds: float) -> Answer:
        """Repeat a request while the API server is away, or has not heard of our rights yet (403)."""
        deadline, pause = time.monotonic() + seconds, 0.5
        while True:
            try:
                return ask()
            except KubeError as error:
                if error.status not in (0, 403, 409, 429, 500, 502, 503, 504) or time.monotonic() + pause > deadline:
                    raise
                self._sleep(pause)
                pause = min(2 * pause, 10.0)


def _is_passing(error: PinnaceError) -> bool:
    """Tell whether a later attempt may find mended what ended this one."""
    if isinstance(error, KubeError):
        return error.status in (0, 429, 500, 502, 503, 504)
    return isinstance(error, StoreUnavailableError)
