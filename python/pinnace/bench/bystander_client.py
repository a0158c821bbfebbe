"""Another client of the API server: small requests at a fixed rate; run as a file, it needs the standard library only.

A request's latency counts from the time at which it was due, so that a server that makes one wait, and with it those
that come after, is not asked less often for it.
"""

import http.client
import json
import ssl
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Bystander"]

_TIMEOUT_SECONDS = 60


class Bystander:
    """Asks until its standard input ends.

    `task`: `server`, `caFile`, `verifies`, `authorization`, `paths` (asked for in turns), `perSecond`, `connections`.
    """

    def __init__(self, task: dict[str, Any]) -> None:
        self._task = task
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._answers: list[tuple[float, float, int]] = []

    def run(self) -> list[tuple[float, float, int]]:
        """Give each request: when it was due (CLOCK_MONOTONIC), its latency in seconds, its status (0: no answer)."""
        started, count = time.monotonic(), self._task["connections"]
        threads = [threading.Thread(target=self._ask, args=(started, number, count)) for number in range(count)]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        self._ended.set()
        for thread in threads:
            thread.join()
        return sorted(self._answers)

    def _ask(self, started: float, number: int, count: int) -> None:
        """Send every `count`-th request over a connection of its own."""
        connection = self._connect()
        while True:
            due = started + number / self._task["perSecond"]
            if self._ended.wait(max(due - time.monotonic(), 0)):
                connection.close()
                return
            try:
                status = self._status(connection, self._task["paths"][number % len(self._task["paths"])])
            except (OSError, http.client.HTTPException):
                connection.close()
                connection, status = self._connect(), 0
            with self._lock:
                self._answers.append((due, time.monotonic() - due, status))
            number += count

    def _status(self, connection: http.client.HTTPConnection, path: str) -> int:
        headers = {"Authorization": self._task["authorization"], "Accept": "application/json"}
        connection.request("GET", self._base + path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        status: int = answer.status
        return status

    @property
    def _base(self) -> str:
        return urlsplit(str(self._task["server"])).path.rstrip("/")

    def _connect(self) -> http.client.HTTPConnection:
        server = urlsplit(self._task["server"])
        host = server.hostname or ""
        if server.scheme != "https":
            return http.client.HTTPConnection(host, server.port or 80, timeout=_TIMEOUT_SECONDS)
        context = ssl.create_default_context(cafile=self._task["caFile"] or None)
        if not self._task["verifies"]:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(host, server.port or 443, timeout=_TIMEOUT_SECONDS, context=context)


if __name__ == "__main__":
    json.dump(Bystander(json.loads(sys.stdin.readline())).run(), sys.stdout)
