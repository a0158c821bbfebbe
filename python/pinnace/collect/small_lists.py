"""Reads lists that are small, whole: with patience, at the backup's revision where the server can, from any thread."""

import threading
import time
from collections.abc import Mapping

from pinnace import interruption
from pinnace.collect.concurrency import FOR_PROBES
from pinnace.collect.gate import REFUSALS, Gate
from pinnace.collect.patience import Patience
from pinnace.collect.plan import ListRequest
from pinnace.errors import KubeError
from pinnace.kube.call import Call
from pinnace.kube.client import Client

__all__ = ["SmallLists"]

_ATTEMPTS_BEHIND = 3
"""To list at a revision that the server does not have yet: its watch cache, or its etcd, is a moment behind."""


class SmallLists:
    """Asks, as the gate permits, until it is closed, which ends what is asked just now."""

    def __init__(self, client: Client, *, gate: Gate | None = None) -> None:
        self._client = client
        self._gate = gate or Gate(FOR_PROBES)
        self._ended = threading.Event()
        self._calls: set[Call] = set()

    def read(self, request: ListRequest, query: Mapping[str, str], *, is_exact: bool) -> bytes:
        """Give the body; KubeError where the server does not get better, InterruptedError once closed."""
        patience = Patience(is_aggregated=request.resource.aggregated)
        while True:
            try:
                return self._read(request.path, query, is_exact=is_exact)
            except KubeError as error:
                pause = patience.pause_seconds(error)
                if pause is None or (
                    _is_unknown_revision(error, is_exact=is_exact) and not _may_come(error, patience=patience)
                ):
                    raise
            patience = patience.after(pause)
            if interruption.wait(self._ended, pause):
                raise InterruptedError

    def close(self) -> None:
        """Hang up."""
        self._ended.set()
        for call in list(self._calls):
            call.hang_up()

    def _read(self, path: str, query: Mapping[str, str], *, is_exact: bool) -> bytes:
        call = Call()
        self._calls.add(call)
        try:
            with self._gate.place(self._ended):
                return self._ask(path, query, is_exact=is_exact, call=call)
        finally:
            call.end()
            self._calls.discard(call)

    def _ask(self, path: str, query: Mapping[str, str], *, is_exact: bool, call: Call) -> bytes:
        asked_at = time.monotonic()
        try:
            with self._client.open(path, query, call=call) as response:
                body = response.read()
        except KubeError as error:
            if error.status in REFUSALS and not _is_unknown_revision(error, is_exact=is_exact):
                self._gate.refused(asked_at=asked_at, retry_after_seconds=error.retry_after_seconds)
            raise
        self._gate.succeeded(first_byte_seconds=response.first_byte_seconds)
        return body


def _may_come(error: KubeError, *, patience: Patience) -> bool:
    """Whether the revision is only too new (apiserver/pkg/storage/errors.go); then the server says when to ask again.

    Of several API servers behind one address one may be behind the one that named the revision.
    """
    return "Too large resource version" in error.reason and patience.attempts + 1 < _ATTEMPTS_BEHIND


def _is_unknown_revision(error: KubeError, *, is_exact: bool) -> bool:
    """A 504 to Exact is most often a revision that this kind's etcd does not know."""
    return is_exact and error.status == 504
