"""One attempt of a Job: reads its Backup, makes it by the same pipeline as a local run, and says what became of it."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pinnace import interruption
from pinnace.backup import run as pipeline
from pinnace.dispatcher import termination
from pinnace.dispatcher.job import EXIT_ANOTHER_ATTEMPT
from pinnace.entrypoint.ownership import Ownership
from pinnace.entrypoint.status_reporter import StatusReporter
from pinnace.entrypoint.surroundings import JobSurroundings, is_passing, reason_of
from pinnace.errors import AttemptLostError, KubeError, PinnaceError
from pinnace.kube.client import Client
from pinnace.velero.backup import Backup
from pinnace.velero.timestamps import timestamp

__all__ = ["JobProcess"]

_log = logging.getLogger(__name__)


class JobProcess:
    """One attempt."""

    def __init__(
        self,
        client: Client,
        surroundings: JobSurroundings,
        *,
        options: pipeline.RunOptions,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._surroundings = surroundings
        self._options = options
        self._clock = clock
        self._ownership = Ownership(
            client,
            namespace=surroundings.namespace,
            backup_name=surroundings.backup_name,
            backup_uid=surroundings.backup_uid,
            attempt_id=surroundings.attempt_id,
        )

    @interruption.deferred()
    def run(self) -> int:
        """Give the process's exit code: 0 reported, 1 failed for good and reported, 75 another attempt may end better.

        A signal passes through as InterruptedRun, after uploads were aborted: the Job, or who deleted it, knows more.
        """
        try:
            document = self._ownership.claim()
        except AttemptLostError as error:
            return self._lost(error)
        except KubeError as error:
            self._surroundings.say(termination.Termination(reason=str(error)))
            return EXIT_ANOTHER_ATTEMPT
        reporter = StatusReporter(self._ownership.write_status)
        try:
            with reporter:
                status, ended = self._make(document, reporter)
        except AttemptLostError as error:
            return self._lost(error)
        except PinnaceError as error:
            return self._failed(error)
        self._surroundings.say(ended)
        return self._report(status, exit_code=0)

    def _make(
        self, document: Mapping[str, Any], reporter: StatusReporter
    ) -> tuple[dict[str, Any], termination.Termination]:
        store = self._surroundings.open_store(self._client, document)
        # An earlier attempt may have committed, and died before it could say so.
        if (committed := store.committed_status(uid=self._surroundings.backup_uid)) is not None:
            return committed, termination.Termination()
        started = time.monotonic()
        outcome = pipeline.make(
            Backup.from_document(document),
            client=self._client,
            store=store,
            options=replace(self._options, credentials_file=self._surroundings.credentials),
            observer=reporter,
            clock=self._clock,
            attempt=self._ownership,
        )
        return outcome.backup.status.to_document(), termination.Termination(
            archive_bytes=outcome.digest.archive_bytes,
            item_count=outcome.digest.item_count,
            page_bytes=sum(collected.page_bytes for collected in outcome.lists),
            list_seconds=round(time.monotonic() - started, 3),
            throttled_count=self._client.throttled_count,
        )

    def _lost(self, error: AttemptLostError) -> int:
        _log.warning("%s", error)
        self._surroundings.say(termination.Termination(reason=str(error)))
        return 0

    def _failed(self, error: PinnaceError) -> int:
        reason = reason_of(error)
        _log.error("%s", reason)
        self._surroundings.say(termination.Termination(reason=reason))
        if is_passing(error):
            return EXIT_ANOTHER_ATTEMPT
        ended = {"phase": "Failed", "failureReason": reason, "completionTimestamp": timestamp(self._clock())}
        return self._report(ended, exit_code=1)

    def _report(self, status: Mapping[str, Any], *, exit_code: int) -> int:
        """Write the last status; one that can't be written is taken from the bucket by the dispatcher."""
        try:
            self._ownership.write_last_status({**status, "failureReason": status.get("failureReason")})
        except AttemptLostError as error:
            return self._lost(error)
        except KubeError as error:
            _log.error("the last status can't be written: %s", error)
        return exit_code
