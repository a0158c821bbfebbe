"""The items that others pull in: which of them are wanted, and how one is read without a GET.

Where the plan lists a kind anyway nothing is read: its list brings the item. Otherwise it is read by a list with
`fieldSelector=metadata.name=`, so that the backup's revision holds for it too. What the next items will name is read in
the background meanwhile: only the bytes, so that results, log and the order of what is written do not depend on it.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import orjson

from pinnace import interruption
from pinnace.actions.protocol import ResourceIdentifier
from pinnace.collect.concurrency import MOST_IN_FLIGHT
from pinnace.collect.plan import ListRequest, Plan, name_selector
from pinnace.collect.probe import EXACT_REFUSALS, Revision, not_at_revision
from pinnace.collect.small_lists import SmallLists
from pinnace.engine import HeldItem, read_items
from pinnace.errors import KubeError
from pinnace.kube.client import Client, describe
from pinnace.kube.discovery import ApiResource
from pinnace.velero.includes_excludes import NamespaceSelection, ResourceFilter
from pinnace.velero.results import Results

__all__ = ["AdditionalItems"]

_PAGE_ITEMS = 500
_READS_AT_ONCE = MOST_IN_FLIGHT


class AdditionalItems:
    """Reads items at a revision; a kind that can't be read at it is so at its newest, with one warning."""

    def __init__(
        self,
        client: Client,
        plan: Plan,
        *,
        resources: Mapping[str, ApiResource],
        resource_filter: ResourceFilter,
        selection: NamespaceSelection,
        revision: Revision,
        results: Results,
    ) -> None:
        self._lists = SmallLists(client)
        self._resources = resources
        self._filter = resource_filter
        self._selection = selection
        self._revision = revision
        self._results = results
        self._newest: set[str] = set()
        self._pool = ThreadPoolExecutor(_READS_AT_ONCE, thread_name_prefix="additional")
        self._begun: dict[str, Future[bytes]] = {}
        # 16 bytes each: what was asked for once is not asked for again.
        self._asked: set[bytes] = set()
        self._listed = {
            request.resource.group_resource
            for request in plan.lists
            if not request.label_selector and not request.field_selector
        }

    def resource(self, group_resource: str) -> ApiResource | None:
        """Give the kind as the cluster serves it."""
        return self._resources.get(group_resource)

    def is_fetched(self, group_resource: str) -> bool:
        """Tell whether items of that kind may have to be read: not where its list or the filters decide it."""
        resource = self.resource(group_resource)
        return resource is not None and group_resource not in self._listed and not self._is_excluded(resource)

    def is_wanted(self, wanted: ResourceIdentifier, *, must_include: bool) -> bool:
        """Tell whether to read an item now; once it was, it is not wanted any more."""
        resource = self.resource(wanted.group_resource)
        if resource is not None:
            has_place = not resource.namespaced or self._selection.includes(wanted.namespace)
            if has_place and wanted.group_resource in self._listed:
                return False
            if not must_include and not (has_place and not self._is_excluded(resource)):
                return False
        key = _key(wanted)
        if key in self._asked:
            return False
        self._asked.add(key)
        return True

    def begin(self, wanted: Sequence[ResourceIdentifier]) -> None:
        """Begin to read items that are likely to be fetched soon, at the backup's revision, several at once."""
        for identifier in wanted:
            resource = self.resource(identifier.group_resource)
            if resource is None or not self.is_fetched(identifier.group_resource) or _key(identifier) in self._asked:
                continue
            request, query = self._request(resource, identifier), self._revision_of(resource).query()
            whole = {**request.query(), **query}
            if (described := describe(request.path, whole)) not in self._begun:
                self._begun[described] = self._pool.submit(self._lists.read, request, whole, is_exact=bool(query))

    def forget(self) -> None:
        """Drop what was begun and not fetched."""
        for read in self._begun.values():
            read.cancel()
        self._begun.clear()

    def fetch(self, wanted: ResourceIdentifier, *, at_newest: bool) -> HeldItem | None:
        """Read one item; None where there is none."""
        resource = self._resources[wanted.group_resource]
        body, described = self._read(self._request(resource, wanted), {}, at_newest=at_newest)
        items = read_items(body, request=described, api_version=resource.api_version, kind=resource.kind)
        return next((item for item in items if item.name == wanted.name), None)

    def serves(self, group_resource: str) -> bool:
        """Tell whether the cluster has that kind (an ItemLists)."""
        return group_resource in self._resources

    def list(self, group_resource: str) -> Iterator[dict[str, Any]]:
        """Give every item of a kind, page by page (an ItemLists)."""
        request = ListRequest(self._resources[group_resource])
        token = ""
        while True:
            query = {"limit": str(_PAGE_ITEMS), **({"continue": token} if token else {})}
            body, described = self._read(request, query, at_newest=False)
            try:
                document = orjson.loads(body)
                yield from document.get("items") or ()
                token = str((document.get("metadata") or {}).get("continue") or "")
            except (orjson.JSONDecodeError, AttributeError, TypeError) as error:
                reason = f"the answer is not a list: {error}"
                raise KubeError(request=described, status=200, reason=reason) from error
            if not token:
                return

    def close(self) -> None:
        """Hang up on what is being read."""
        self._lists.close()
        self._pool.shutdown(cancel_futures=True)

    def _request(self, resource: ApiResource, wanted: ResourceIdentifier) -> ListRequest:
        return ListRequest(resource, namespace=wanted.namespace, field_selector=name_selector(wanted.name))

    def _revision_of(self, resource: ApiResource) -> Revision:
        return Revision() if resource.group_resource in self._newest else self._revision.of(resource)

    def _is_excluded(self, resource: ApiResource) -> bool:
        return self._filter.excludes_additional(resource.group_resource, namespaced=resource.namespaced)

    def _read(self, request: ListRequest, query: Mapping[str, str], *, at_newest: bool) -> tuple[bytes, str]:
        kind = request.resource.group_resource
        revision = Revision() if at_newest else self._revision_of(request.resource)
        whole = {**request.query(), **query}
        if "continue" not in query:  # a token carries its revision itself
            whole |= revision.query()
        described = describe(request.path, whole)
        try:
            # What was read before is not the newest.
            if not at_newest and (begun := self._begun.pop(described, None)) is not None:
                return interruption.result(begun), described
            return self._lists.read(request, whole, is_exact=bool(revision.resource_version)), described
        except KubeError as error:
            if not revision.resource_version or "continue" in query or error.status not in EXACT_REFUSALS:
                raise
            self._newest.add(kind)
            self._results.add_warning(not_at_revision(revision, error), resource=kind)
        return self._read(request, query, at_newest=True)


def _key(wanted: ResourceIdentifier) -> bytes:
    return hashlib.blake2b("/".join(wanted).encode(), digest_size=16).digest()
