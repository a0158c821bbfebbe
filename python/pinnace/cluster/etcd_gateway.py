"""etcd's HTTP gateway, as far as a cluster of our own is asked by it: JSON, with keys and values in base64."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

import urllib3

from pinnace.errors import ClusterError

__all__ = ["connections", "encoded", "end_of", "post"]

_TIMEOUT: Final = urllib3.Timeout(connect=5.0, read=60.0)


def connections(*, count: int = 1) -> urllib3.PoolManager:
    """Connections for `count` threads."""
    return urllib3.PoolManager(maxsize=count, timeout=_TIMEOUT, retries=False)


def post(connected: urllib3.PoolManager, url: str, body: bytes | Mapping[str, Any]) -> dict[str, Any]:
    """Ask; ClusterError where etcd can't be reached or refuses."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        response = connected.request("POST", url, body=sent, headers={"Content-Type": "application/json"})
    except urllib3.exceptions.HTTPError as error:
        raise ClusterError(f"{url}: {error}; is the cluster running?") from error
    if response.status != 200:
        raise ClusterError(f"{url}: status {response.status}: {response.data[:500]!r}")
    answer: dict[str, Any] = json.loads(response.data)
    return answer


def encoded(content: bytes) -> str:
    """What the gateway takes for bytes."""
    return base64.b64encode(content).decode()


def end_of(prefix: bytes) -> bytes:
    """The first key behind all that start with `prefix`, as a range wants it."""
    return prefix[:-1] + bytes([prefix[-1] + 1])
