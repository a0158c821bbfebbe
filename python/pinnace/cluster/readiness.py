"""Wait until a server answers, and notice at once when its program has ended instead."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import urllib3

from pinnace.cluster.certificates import Certificates
from pinnace.cluster.processes import OwnProcess
from pinnace.errors import ClusterError

__all__ = ["PortTakenError", "admin_connection", "answers", "document", "plain_connection", "wait"]

_POLL_SECONDS: Final = 0.1
_LOG_TAIL_CHARACTERS: Final = 1500
_REQUEST_TIMEOUT: Final = urllib3.Timeout(connect=2.0, read=5.0)


class PortTakenError(ClusterError):
    """Another program took a port between choosing it and listening on it; start again with other ports."""


def plain_connection() -> urllib3.PoolManager:
    """Connections to etcd's HTTP gateway on loopback."""
    return urllib3.PoolManager(timeout=_REQUEST_TIMEOUT, retries=False)


def admin_connection(certificates: Certificates) -> urllib3.PoolManager:
    """Connections to the apiserver as its admin."""
    return urllib3.PoolManager(
        ca_certs=str(certificates.ca),
        cert_file=str(certificates.certificate("admin")),
        key_file=str(certificates.key("admin")),
        timeout=_REQUEST_TIMEOUT,
        retries=False,
    )


def answers(connection: urllib3.PoolManager, url: str) -> bool:
    """Whether a GET of `url` is answered with 200 now."""
    try:
        return connection.request("GET", url).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def document(connection: urllib3.PoolManager, url: str) -> dict[str, Any] | None:
    """The JSON object that a GET of `url` gives, or None if it is not answered with 200 now."""
    try:
        answer = connection.request("GET", url)
    except urllib3.exceptions.HTTPError:
        return None
    found: dict[str, Any] | None = answer.json() if answer.status == 200 else None
    return found


def wait(ready: Callable[[], bool], *, what: str, process: OwnProcess, log: Path, timeout_seconds: float) -> None:
    """Return once `ready()`; ClusterError with the end of the program's log if it ended or time is up."""
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        if not process.is_running():
            _raise_ended(process, log=log)
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not ready within {timeout_seconds:.0f} s; see {log}")
        time.sleep(_POLL_SECONDS)


def _raise_ended(process: OwnProcess, *, log: Path) -> None:
    tail = log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:].strip() if log.exists() else ""
    kind = PortTakenError if "address already in use" in tail else ClusterError
    raise kind(f"{process.name} ended while it was started; the end of {log}: {tail}")
