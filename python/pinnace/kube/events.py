"""Events of an object, as `kubectl describe` shows them."""

import hashlib
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pinnace.errors import KubeError
from pinnace.kube.client import Client
from pinnace.kube.kinds import EVENTS
from pinnace.kube.objects import Objects

__all__ = ["EventRecorder", "KindEvents"]

_MESSAGE_CHARACTERS = 1024
"""The API server refuses longer ones."""

_log = logging.getLogger(__name__)


class EventRecorder:
    """Writes Events of one component; an Event that can't be written is logged, since it decides nothing."""

    def __init__(self, client: Client, *, namespace: str, component: str, host: str = "") -> None:
        self._events = Objects(client, EVENTS, namespace=namespace)
        self._namespace = namespace
        self._component = component
        self._host = host

    def about(self, api_version: str, kind: str) -> "KindEvents":
        """Give the Events of one kind, whose listed objects do not say themselves what they are."""
        return KindEvents(self, api_version=api_version, kind=kind)

    def record(self, about: Mapping[str, Any], *, kind: str, api_version: str, reason: str, message: str,
               warning: bool = False) -> None:  # fmt: skip
        """Write one Event; the same reason and message about the same object are written once."""
        metadata = about["metadata"]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        identity = f"{metadata.get('uid', '')}/{reason}/{message}"
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name'][:200]}.{hashlib.sha256(identity.encode()).hexdigest()[:16]}",
                "namespace": self._namespace,
            },
            "involvedObject": {
                "apiVersion": api_version,
                "kind": kind,
                "name": metadata["name"],
                "namespace": self._namespace,
                "uid": metadata.get("uid", ""),
                "resourceVersion": metadata.get("resourceVersion", ""),
            },
            "reason": reason,
            "message": message[:_MESSAGE_CHARACTERS],
            "type": "Warning" if warning else "Normal",
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": self._component, **({"host": self._host} if self._host else {})},
            "reportingComponent": self._component,
            "reportingInstance": self._host,
        }
        try:
            self._events.create(event)
        except KubeError as error:
            _log.warning("event %s of %s %s can't be written: %s", reason, kind, metadata["name"], error)


class KindEvents:
    """The Events about objects of one kind."""

    def __init__(self, recorder: EventRecorder, *, api_version: str, kind: str) -> None:
        self._recorder = recorder
        self._api_version = api_version
        self._kind = kind

    def tell(self, about: Mapping[str, Any], reason: str, message: str) -> None:
        """Write a Normal Event."""
        self._record(about, reason, message, warning=False)

    def warn(self, about: Mapping[str, Any], reason: str, message: str) -> None:
        """Write a Warning."""
        self._record(about, reason, message, warning=True)

    def _record(self, about: Mapping[str, Any], reason: str, message: str, *, warning: bool) -> None:
        self._recorder.record(
            about, kind=self._kind, api_version=self._api_version, reason=reason, message=message, warning=warning
        )
