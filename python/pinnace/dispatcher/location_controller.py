"""The BackupStorageLocation controller: validates each when it is due, and keeps one default (gc of many defaults)."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pinnace.dispatcher import location_status
from pinnace.dispatcher.controllers import PeriodicController
from pinnace.dispatcher.locations import Locations
from pinnace.dispatcher.metrics import Metrics
from pinnace.errors import LocationError, PinnaceError

__all__ = ["LocationController"]

_LOOK_SECONDS = 10.0
"""As Velero: how often it is looked which location is due."""

_log = logging.getLogger(__name__)


class LocationController(PeriodicController):
    """Works in a thread of its own: a bucket that does not answer must not keep Backups waiting.

    It begins at once: a Backup whose location was never validated is refused.
    """

    def __init__(
        self,
        locations: Locations,
        *,
        metrics: Metrics,
        default_name: str,
        clock: Callable[[], datetime],
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        super().__init__("locations", look_seconds=look_seconds)
        self._locations = locations
        self._metrics = metrics
        self._default_name = default_name
        self._clock = clock

    def look(self) -> None:
        """Do what is due now."""
        documents = self._locations.documents()
        for document in location_status.not_default_any_more(documents):
            self._locations.patch(document, {"spec": {"default": False}})
        chosen = location_status.wants_default(documents, default_name=self._default_name)
        if chosen is not None:
            self._locations.patch(chosen, {"spec": {"default": True}})
        for document in documents:
            if location_status.is_due(document, now=self._clock()):
                self._validate(document)

    def _validate(self, document: dict[str, Any]) -> None:
        name = document["metadata"]["name"]
        try:
            self._locations.open_document(document).validate()
            error = ""
        except PinnaceError as raised:
            # The sentence around it names the location already.
            error = raised.reason if isinstance(raised, LocationError) else str(raised)
            _log.warning("location %s is unavailable: %s", name, error)
        status = location_status.status_after(document, error=error, now=self._clock())
        self._locations.patch(document, {"status": status})
        self._metrics.location(name, is_available=not error)
