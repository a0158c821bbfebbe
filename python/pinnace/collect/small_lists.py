"""Reads lists that are small, whole: with patience, at the backup's revision where the server can, from any thread."""

import threading
from collections.abc import Mapping

from pinnace import interruption
from pinnace.collect.patience import Patience
from pinnace.collect.plan import ListRequest
from pinnace.errors import KubeError
from pinnace.kube.call import Call
from pinnace.kube.client import Client

__all__ = ["SmallLists"]


class SmallLists:
    """Asks until it is closed, which ends what is asked just now."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._ended = threading.Event()
        self._calls: set[Call] = set()

    def read(self, request: ListRequest, query: Mapping[str, str], *, is_exact: bool) -> bytes:
        """Give the body; KubeError where the server does not get better, InterruptedError once closed."""
        patience = Patience(is_aggregated=request.resource.aggregated)
        while True:
            try:
                return self._read(request.path, query)
            except KubeError as error:
                pause = patience.pause_seconds(error)
                # A 504 to Exact is most often a revision that this kind's etcd does not know.
                if pause is None or (is_exact and error.status == 504):
                    raise
            patience = patience.after(pause)
            if interruption.wait(self._ended, pause):
                raise InterruptedError

    def close(self) -> None:
        """Hang up."""
        self._ended.set()
        for call in list(self._calls):
            call.hang_up()

    def _read(self, path: str, query: Mapping[str, str]) -> bytes:
        call = Call()
        self._calls.add(call)
        try:
            if self._ended.is_set():
                raise InterruptedError
            with self._client.open(path, query, call=call) as response:
                return b"".join(response.chunks())
        finally:
            call.end()
            self._calls.discard(call)
