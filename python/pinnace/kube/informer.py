"""A local copy of one kind in one namespace, kept in step by the kubernetes client's informer."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from pinnace.errors import KubeError
from pinnace.kube.client import Client
from pinnace.kube.objects import Kind

__all__ = ["Informer"]

_RESYNC_SECONDS = 60
"""A new list this often: what a broken watch missed is seen then at the latest."""

_PAUSE_SECONDS = 1.0
"""Between attempts while the API server is away; the library itself would ask again at once."""

_log = logging.getLogger(__name__)


class _List:
    """What the informer expects of a list: attributes, where the API server gives documents, a page each.

    A namespace may hold thousands of Backups, one for each in its buckets: a page at a time is parsed and made small.
    """

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.metadata = self
        self.resource_version = ""

    def add(self, page: Mapping[str, Any]) -> None:
        """Take a page."""
        self.items += [_without_managers(item) for item in page.get("items") or []]
        self.resource_version = str((page.get("metadata") or {}).get("resourceVersion") or "")


class Informer:
    """Calls `on_change` with each document that came, changed or went, from a thread of its own.

    Items of a list lack `kind` and `apiVersion`, watched ones have them; nobody here needs them.
    """

    def __init__(
        self, client: Client, kind: Kind, *, namespace: str, on_change: Callable[[dict[str, Any]], None],
        on_deleted: Callable[[dict[str, Any]], None] | None = None, label_selector: str = "",
    ) -> None:  # fmt: skip
        from kubernetes import informer

        # The library logs each broken watch with its traceback; one sentence is said here instead.
        logging.getLogger(informer.informer.__name__).setLevel(logging.CRITICAL + 1)
        self._client = client
        self._path = kind.path(namespace=namespace)
        self.plural = kind.plural
        self._synced = False
        self._informer = informer.SharedInformer(
            self._list, resync_period=_RESYNC_SECONDS, label_selector=label_selector or None
        )
        for event_type in (informer.ADDED, informer.MODIFIED):
            self._informer.add_event_handler(event_type, lambda document: on_change(_without_managers(document)))
        self._informer.add_event_handler(informer.DELETED, on_deleted or on_change)
        self._informer.add_event_handler(informer.ERROR, self._say)

    def start(self) -> None:
        """Begin to list and watch."""
        self._informer.start()

    def stop(self) -> None:
        """End the watch and its thread."""
        self._informer.stop()

    @property
    def synced(self) -> bool:
        """Whether the first list has come."""
        return self._synced

    def get(self, name: str, *, namespace: str) -> dict[str, Any] | None:
        """The copy of one object."""
        document: dict[str, Any] | None = self._informer.cache.get_by_key(f"{namespace}/{name}")
        return document

    def list(self) -> list[dict[str, Any]]:
        """All copies."""
        return list(self._informer.cache.list())

    def _list(
        self,
        *,
        watch: bool = False,
        resource_version: str = "",
        timeout_seconds: int | None = None,
        label_selector: str = "",
        _preload_content: bool = True,
    ) -> object:
        query = {"labelSelector": label_selector} if label_selector else {}
        try:
            if not watch:
                return self._whole_list(query)
            query |= {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": resource_version}
            if timeout_seconds is not None:
                query["timeoutSeconds"] = str(timeout_seconds)
            return self._client.open(self._path, query).raw
        except KubeError as error:
            time.sleep(_PAUSE_SECONDS)
            if error.status == 410:
                raise _expired(error) from error
            raise

    def _whole_list(self, query: Mapping[str, str]) -> _List:
        found = _List()
        for page in self._client.pages(self._path, query):
            found.add(page)
        self._synced = True
        return found

    def _say(self, error: object) -> None:
        # A list that fails repeats every few seconds while the API server is away; once is enough to know.
        _log.debug("watching %s was interrupted: %s", self.plural, error)


def _without_managers(document: dict[str, Any]) -> dict[str, Any]:
    """Take away, in the copy itself, who wrote which field: half of a Backup's size, and nobody here asks for it."""
    document["metadata"].pop("managedFields", None)
    return document


def _expired(error: KubeError) -> Exception:
    """The library's own exception, by which it lists anew."""
    from kubernetes.client.exceptions import ApiException

    expired: Exception = ApiException(status=error.status, reason=error.reason)
    return expired
