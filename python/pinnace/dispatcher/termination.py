"""What a Job's process hands over by its termination message: nobody scrapes a Job."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from pinnace.dispatcher import job_index

__all__ = [
    "CONTAINER_NAME",
    "MOST_BYTES",
    "Termination",
    "is_spoken",
    "of_job",
    "of_pods",
    "read",
    "terminated",
    "write",
]

MOST_BYTES = 4096
"""The kubelet cuts a longer message."""

CONTAINER_NAME = "backup"
"""The container whose message it is; a cluster may inject others into the pod."""


@dataclass(frozen=True)
class Termination:
    """How the process ended; `reason` is empty where the backup was made."""

    reason: str = ""
    archive_bytes: int = 0
    item_count: int = 0
    page_bytes: int = 0
    list_seconds: float = 0.0
    throttled_count: int = 0


def write(termination: Termination) -> str:
    """One line of JSON that fits into MOST_BYTES as UTF-8; a reason that is too long loses its end."""
    # What is no UTF-8 (a file's name may hold it) could not be written.
    reason = termination.reason[:MOST_BYTES].encode(errors="replace").decode()
    while (excess := len((text := _encode(termination, reason=reason)).encode()) - MOST_BYTES) > 0:
        # A character takes at most 6 bytes (a control character's escape), so that no more is cut than is needed.
        reason = reason[: -max(excess // 6, 1)]
    return text


def read(message: str) -> Termination:
    """Read a message; where it is none of ours the kubelet put the log's last lines there, and the last says why.

    What has the wrong type, is negative or not finite is left out: a counter can't take it.
    """
    text = message.strip()
    document = _document(text)
    if document is None:
        return Termination(reason=text.splitlines()[-1].strip() if text else "")
    kept = {name: value for name in _NAMES if (value := _value(document.get(name), name=name)) is not None}
    return Termination(**kept)


def of_pods(pods: Sequence[Mapping[str, Any]]) -> Termination:
    """What the last pod that ended handed over; nothing where none could."""
    for pod in sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True):
        if ended := terminated(pod):
            return read(str(ended.get("message") or ""))
    return Termination()


def of_job(pods: Sequence[Mapping[str, Any]]) -> Termination:
    """What the pods of one Job handed over: figures of index 0, and refusals that any of them met."""
    by_index: dict[int, list[Mapping[str, Any]]] = {0: []}
    for pod in pods:
        by_index.setdefault(job_index.index_of(pod), []).append(pod)
    ended = {index: of_pods(of_index) for index, of_index in by_index.items()}
    return replace(ended[0], throttled_count=sum(each.throttled_count for each in ended.values()))


def terminated(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """The end of the pod's backup container as the kubelet states it; {} while there is none."""
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        if container.get("name") == CONTAINER_NAME and (ended := (container.get("state") or {}).get("terminated")):
            return ended  # type: ignore[no-any-return]
    return {}


def is_spoken(message: str) -> bool:
    """Tell a message of the process itself from the log's last lines."""
    return _document(message.strip()) is not None


_NAMES = tuple(field.name for field in fields(Termination))


def _encode(termination: Termination, *, reason: str) -> str:
    pairs = asdict(termination) | {"reason": reason}
    return json.dumps({key: value for key, value in pairs.items() if value}, ensure_ascii=False)


def _document(text: str) -> Mapping[str, Any] | None:
    """The message as written by `write`; None for anything else, a log in JSON included."""
    try:
        document = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        return None
    is_ours = isinstance(document, dict) and (not document or not document.keys().isdisjoint(_NAMES))
    return document if is_ours else None


def _value(value: Any, *, name: str) -> Any:
    if name == "reason":
        return value if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        return None
    return float(value) if name == "list_seconds" else int(value)
