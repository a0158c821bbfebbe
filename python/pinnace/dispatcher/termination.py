"""What a Job's process hands over by its termination message: nobody scrapes a Job."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

__all__ = ["MOST_BYTES", "Termination", "of_pods", "read", "write"]

MOST_BYTES = 4096
"""The kubelet cuts a longer message."""

_REASON_CHARACTERS = 2000


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
    """One line of JSON that fits."""
    pairs = asdict(termination)
    pairs["reason"] = termination.reason[:_REASON_CHARACTERS]
    return json.dumps({key: value for key, value in pairs.items() if value})


def read(message: str) -> Termination:
    """Read a message; where it is no JSON the kubelet put the log's last lines there, and the last says why."""
    text = message.strip()
    try:
        document = json.loads(text) if text.startswith("{") else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return Termination(reason=text.splitlines()[-1] if text else "")
    kept = {}
    for field in fields(Termination):
        value = document.get(field.name)
        if isinstance(value, (int, float, str)) and isinstance(value, str) == (field.name == "reason"):
            kept[field.name] = value
    return Termination(**kept)  # type: ignore[arg-type]


def of_pods(pods: Sequence[Mapping[str, Any]]) -> Termination:
    """What the last pod that ended handed over; nothing where none could."""
    for pod in sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True):
        for container in (pod.get("status") or {}).get("containerStatuses") or ():
            if ended := (container.get("state") or {}).get("terminated"):
                return read(str(ended.get("message") or ""))
    return Termination()
