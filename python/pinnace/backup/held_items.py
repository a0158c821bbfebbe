"""Puts together what the items that the engine holds go through: actions, additional items, hooks, volumes."""

from collections.abc import Iterator
from contextlib import contextmanager

from pinnace.actions.protocol import ActionContext, ResourceIdentifier
from pinnace.actions.registry import load_actions
from pinnace.backup.additional_items import AdditionalItems
from pinnace.backup.archive_sink import ArchiveSink
from pinnace.backup.item_backupper import ItemBackupper
from pinnace.backup.item_stations import ItemHooks
from pinnace.backup.log import VeleroLog
from pinnace.backup.page_intake import PageIntake
from pinnace.backup.prepare import Prepared
from pinnace.backup.unmet_requests import UnmetRequests
from pinnace.kube.client import Client
from pinnace.velero.backup import Backup
from pinnace.velero.results import Results

__all__ = ["CRDS", "HeldItems", "held_items"]

CRDS = "customresourcedefinitions.apiextensions.k8s.io"


class HeldItems:
    """The intake of pages, and what is left to do after the last of them."""

    def __init__(
        self, intake: PageIntake, backupper: ItemBackupper, *, sink: ArchiveSink, additional: AdditionalItems
    ) -> None:
        self.intake = intake
        self._backupper = backupper
        self._sink = sink
        self._additional = additional

    def finish(self) -> None:
        """Store what volumes brought, then the CustomResourceDefinitions of what was stored, as Velero does last."""
        self._backupper.finish()
        if self._additional.is_fetched(CRDS):
            # In a group without a dot nothing can be a custom resource.
            names = [resource.group_resource for resource in self._sink.kind_counts if "." in resource.group]
            wanted = [ResourceIdentifier(CRDS, "", name) for name in sorted(names)]
            self._backupper.back_up_additional(wanted, may_be_missing=True)


@contextmanager
def held_items(
    prepared: Prepared,
    *,
    backup: Backup,
    client: Client,
    sink: ArchiveSink,
    results: Results,
    log: VeleroLog,
    hooks: ItemHooks | None = None,
) -> Iterator[HeldItems]:
    """Make everything for one run."""
    additional = AdditionalItems(
        client,
        prepared.plan,
        resources=prepared.resources,
        resource_filter=prepared.resource_filter,
        selection=prepared.selection,
        revision=prepared.revision,
        results=results,
    )
    try:
        context = ActionContext(backup, lists=additional, is_fetched=additional.is_fetched)
        actions = load_actions(context)
        backupper = ItemBackupper(
            backup,
            actions=actions,
            archive=sink,
            additional=additional,
            results=results,
            log=log,
            hooks=hooks,
            volumes=UnmetRequests(),
        )
        intake = PageIntake(sink, backupper, may_be_pulled_in=backupper.may_be_pulled_in, log=log, results=results)
        yield HeldItems(intake, backupper, sink=sink, additional=additional)
    finally:
        additional.close()
