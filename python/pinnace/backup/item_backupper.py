"""What is done with one held item: pre hooks, actions, additional items, volumes, write, post hooks.

As Velero's item_backupper.go, in the order of 1.18. Only items that a hook, an action or a volume asks for come here;
all others stay in the engine.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from pinnace.actions.protocol import (
    ActionResult,
    BackupItemAction,
    ForeseeableAction,
    HoldingAction,
    ResourceIdentifier,
)
from pinnace.backup.item_json import read_item, write_item
from pinnace.backup.item_stations import (
    ADDITIONAL_NOT_FOUND,
    Additional,
    ItemArchive,
    ItemHooks,
    ItemVolumes,
    NoHooks,
    NoVolumes,
)
from pinnace.backup.log import VeleroLog
from pinnace.engine import HeldItem, Hold
from pinnace.errors import EngineError, KubeError, PinnaceError, ServerUnreachableError
from pinnace.kube.discovery import ApiResource
from pinnace.velero import glob
from pinnace.velero.backup import Backup
from pinnace.velero.label import EXCLUDE_FROM_BACKUP_LABEL
from pinnace.velero.results import Results

__all__ = ["CRDS", "ItemBackupper", "raise_what_ends_the_run"]

CRDS = "customresourcedefinitions.apiextensions.k8s.io"
_ITEMS_AHEAD = 32
"""What they name is kept until it is their turn: a volume has about 2 kB."""

_MUST_INCLUDE_ANNOTATION = "backup.velero.io/must-include-additional-items"
_SKIP_ANNOTATION = "velero.io/skip-from-backup"


@dataclass(frozen=True)
class _Acted:
    """What the actions so far made of an item."""

    document: dict[str, Any]
    is_changed: bool = False
    is_skipped: bool = False


class ItemBackupper:
    """Backs up held items, one after the other, and what they pull in before them."""

    def __init__(
        self,
        backup: Backup,
        *,
        actions: Sequence[BackupItemAction],
        archive: ItemArchive,
        additional: Additional,
        results: Results,
        log: VeleroLog,
        hooks: ItemHooks | None = None,
        volumes: ItemVolumes | None = None,
    ) -> None:
        self._backup = backup
        self._actions = actions
        self._archive = archive
        self._additional = additional
        self._results = results
        self._log = log
        self._hooks = hooks or NoHooks()
        self._volumes = volumes or NoVolumes()
        self._holds: dict[str, Hold] = {}

    def hold(self, group_resource: str) -> Hold:
        """Say which items of a kind must come here; the same for each of its lists."""
        if group_resource not in self._holds:
            hold = self._hooks.hold(group_resource) | self._volumes.hold(group_resource)
            for action in self._actions:
                if action.applies_to.includes(group_resource):
                    hold |= self._hold_of(action, group_resource)
            self._holds[group_resource] = hold
        return self._holds[group_resource]

    def _hold_of(self, action: BackupItemAction, group_resource: str) -> Hold:
        if isinstance(action, HoldingAction):
            return action.hold(group_resource, is_fetched=self._additional.is_fetched)
        if set(action.applies_to.included_namespaces) <= {"*"}:
            return Hold(everything=True)
        literal = frozenset(name for name in action.applies_to.included_namespaces if not glob.is_pattern(name))
        has_pattern = len(literal) < len(set(action.applies_to.included_namespaces))
        return Hold(everything=has_pattern, namespaces=literal)

    def read_ahead(self, resource: ApiResource, items: Sequence[HeldItem]) -> Iterator[HeldItem]:
        """Give held items in their order, while what the next ones will name is being read."""
        actions = self._foreseeable(resource.group_resource) if len(items) > 1 else ()
        if not actions:
            yield from items
            return
        window: deque[HeldItem] = deque()
        for item in items:
            with suppress(ValueError, KeyError, TypeError, AttributeError):  # told when it is the item's turn
                document = read_item(item.json)
                self._additional.begin([wanted for action in actions for wanted in action.names(document)])
            window.append(item)
            if len(window) > _ITEMS_AHEAD:
                yield window.popleft()
        yield from window
        self._additional.forget()

    def _foreseeable(self, group_resource: str) -> Sequence[ForeseeableAction]:
        return [
            action
            for action in self._actions
            if isinstance(action, ForeseeableAction)
            and action.applies_to.includes(group_resource)
            and any(map(self._additional.is_fetched, action.pulls_in))
        ]

    def back_up(self, resource: ApiResource, item: HeldItem) -> bool:
        """Back up one item that no filter left out; False if it was not written, now or before.

        What goes wrong is an error in the results.
        """
        if not self._archive.register(resource, namespace=item.namespace, name=item.name):
            return False
        try:
            document = read_item(item.json)
        except ValueError as error:
            self._add_error(ResourceIdentifier(resource.group_resource, item.namespace, item.name), error)
            return False
        if not self._hooks.run("pre", document, results=self._results, log=self._log):
            return False
        try:
            return self._act_and_write(resource, item, document)
        except Exception as error:  # of an action, which may be anybody's, or of the API server
            raise_what_ends_the_run(error)
            self._add_error(ResourceIdentifier(resource.group_resource, item.namespace, item.name), error)
            return False
        finally:
            # Whatever became of the item: a pre hook may have frozen a file system.
            self._hooks.run("post", document, results=self._results, log=self._log)

    def back_up_additional(
        self,
        wanted: Sequence[ResourceIdentifier],
        *,
        must_include: bool = False,
        at_newest: bool = False,
        may_be_missing: bool = False,
    ) -> None:
        """Back up items that another one names; one that is not there is a warning, unless it `may_be_missing`.

        KubeError where one can't be read: then the one that names it is not stored either, as in Velero.
        """
        for identifier in wanted:
            if self._additional.is_wanted(identifier, must_include=must_include):
                resource = self._additional.resource(identifier.group_resource)
                item = self._additional.fetch(identifier, at_newest=at_newest) if resource is not None else None
                if resource is not None and item is not None:
                    self._back_up_fetched(resource, item, must_include=must_include)
                elif not may_be_missing:
                    self._results.add_warning(
                        ADDITIONAL_NOT_FOUND,
                        namespace=identifier.namespace,
                        resource=identifier.group_resource,
                        name=identifier.name,
                    )

    def may_be_pulled_in(self, group_resource: str) -> bool:
        """Tell whether an item of that kind may be written before a list of the kind brings it."""

        def pulls_in(action: BackupItemAction) -> bool:
            return not isinstance(action, HoldingAction) or group_resource in action.pulls_in

        is_fetched = self._additional.is_fetched(group_resource)
        return is_fetched and (group_resource == CRDS or any(map(pulls_in, self._actions)))

    def finish(self) -> None:
        """After the last list: wait for the volumes, and store what they brought."""
        self._volumes.finish(lambda wanted: self._back_up_each(wanted, must_include=True, at_newest=True))

    def back_up_definitions(self, group_resources: Iterable[str]) -> None:
        """Store the CustomResourceDefinition of each kind that has one."""
        wanted = (ResourceIdentifier(CRDS, "", group_resource) for group_resource in group_resources)
        self._back_up_each(wanted, may_be_missing=True)

    def _back_up_each(self, wanted: Iterable[ResourceIdentifier], **how: bool) -> None:
        """Back up items that no other one names: what goes wrong is an error of their own."""
        for identifier in wanted:
            try:
                self.back_up_additional((identifier,), **how)
            except PinnaceError as error:
                raise_what_ends_the_run(error)
                self._add_error(identifier, error)

    def _back_up_fetched(self, resource: ApiResource, item: HeldItem, *, must_include: bool) -> None:
        try:
            metadata = read_item(item.json)["metadata"]
        except ValueError:
            metadata = {}  # back_up says it
        if metadata.get("deletionTimestamp") is not None:
            reason = "it is being deleted"
        elif (metadata.get("labels") or {}).get(EXCLUDE_FROM_BACKUP_LABEL) == "true" and not must_include:
            reason = f"it has the label {EXCLUDE_FROM_BACKUP_LABEL}=true"
        else:
            self._archive.expect_additional()
            self.back_up(resource, item)
            return
        self._log.info(
            "Skipping additional item",
            namespace=item.namespace,
            resource=resource.group_resource,
            name=item.name,
            reason=reason,
        )

    def _add_error(self, item: ResourceIdentifier, error: Exception) -> None:
        self._results.add_error(
            "Error backing up item",
            namespace=item.namespace,
            resource=item.group_resource,
            name=item.name,
            error=str(error) or repr(error),
        )

    def _act_and_write(self, resource: ApiResource, item: HeldItem, document: dict[str, Any]) -> bool:
        acted = self._act(resource, _Acted(document))
        if acted.is_skipped:
            self._log.info(
                "Excluding item, an action says so",
                namespace=item.namespace,
                resource=resource.group_resource,
                name=item.name,
            )
            return False
        if not self._volumes.back_up(resource.group_resource, acted.document, results=self._results, log=self._log):
            return False
        body = write_item(acted.document) if acted.is_changed else item.json
        self._archive.add_item(resource, body)
        return True

    def _act(self, resource: ApiResource, acted: _Acted) -> _Acted:
        """Give the item to each action that it matches, as the one before left it."""
        for action in self._actions:
            metadata = acted.document["metadata"]
            labels = metadata.get("labels") or {}
            namespace = metadata.get("namespace") or ""
            if not action.applies_to.matches(resource.group_resource, namespace=namespace, labels=labels):
                continue
            result = _with_annotations(action.execute(acted.document, self._backup))
            acted = replace(acted, document=result.item, is_changed=acted.is_changed or result.item_changed)
            if result.skip_item:
                return replace(acted, is_skipped=True)
            self.back_up_additional(
                result.additional_items, must_include=result.must_include, at_newest=result.at_newest
            )
        return acted


def _with_annotations(result: ActionResult) -> ActionResult:
    """Read what the item's annotations say to the one that stores it; the one on additional items is not stored."""
    annotations = result.item["metadata"].get("annotations") if result.item_changed else None
    if not annotations:
        return result
    if annotations.pop(_MUST_INCLUDE_ANNOTATION, "") == "true":
        result = replace(result, must_include=True)
    return replace(result, skip_item=True) if _SKIP_ANNOTATION in annotations else result


def raise_what_ends_the_run(error: Exception) -> None:
    """Pass on what no other item would end better with: the server or the store is gone, another attempt runs."""
    is_of_one_item = isinstance(error, KubeError | EngineError) or not isinstance(error, PinnaceError)
    if not is_of_one_item or isinstance(error, ServerUnreachableError):
        raise error
    if isinstance(error, KubeError) and error.status == 401:
        raise error
