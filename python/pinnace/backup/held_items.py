"""Puts together what the items that the engine holds go through: actions, additional items, hooks, volumes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pinnace.actions.protocol import ActionContext
from pinnace.actions.registry import load_actions
from pinnace.backup.additional_items import AdditionalItems
from pinnace.backup.archive_sink import ArchiveSink
from pinnace.backup.item_backupper import CRDS, ItemBackupper, raise_what_ends_the_run
from pinnace.backup.log import VeleroLog
from pinnace.backup.page_intake import PageIntake
from pinnace.backup.prepare import Prepared
from pinnace.backup.run_volumes import RunVolumes, run_volumes
from pinnace.collect.item_collector import Probe
from pinnace.errors import KubeError
from pinnace.hooks.runner import HookRunner
from pinnace.kube.client import Client
from pinnace.velero.backup import Backup
from pinnace.velero.results import Results

if TYPE_CHECKING:
    from pinnace.backup.run import RunOptions

__all__ = ["HeldItems", "held_items"]


class HeldItems:
    """The intake of pages, and what is left to do after the last of them."""

    def __init__(
        self,
        intake: PageIntake,
        backupper: ItemBackupper,
        *,
        sink: ArchiveSink,
        additional: AdditionalItems,
        volumes: RunVolumes,
    ) -> None:
        self.intake = intake
        self.volumes = volumes
        self._backupper = backupper
        self._sink = sink
        self._additional = additional

    def paced(self, probes: Sequence[Probe]) -> Sequence[Probe]:
        """Note which lists have items that may take long."""

        def is_slow(probe: Probe) -> bool:
            return self._backupper.hold(probe.request.resource.group_resource).is_slow

        return [replace(probe, is_slow=is_slow(probe)) for probe in probes]

    def is_needed_for(self, group_resource: str) -> bool:
        """Tell whether lists of a kind can't be read without this: items are held, or may have been pulled in."""
        return bool(self._backupper.hold(group_resource)) or self._backupper.may_be_pulled_in(group_resource)

    def finish(self) -> None:
        """Store what volumes brought, then the CustomResourceDefinitions of what was stored, as Velero does last."""
        self._backupper.finish()
        self.volumes.tell_untaken()
        if self._additional.is_fetched(CRDS):
            # In a group without a dot nothing can be a custom resource.
            names = [resource.group_resource for resource in self._sink.kind_counts if "." in resource.group]
            self._backupper.back_up_definitions(sorted(names))


@contextmanager
def held_items(
    prepared: Prepared,
    *,
    backup: Backup,
    client: Client,
    sink: ArchiveSink,
    results: Results,
    log: VeleroLog,
    clock: Callable[[], datetime],
    options: "RunOptions | None" = None,
    hooks: HookRunner | None = None,
) -> Iterator[HeldItems]:
    """Make everything for one run; snapshots of volumes are removed again where it is left by an exception."""
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

        def on_refused(error: KubeError) -> None:
            raise_what_ends_the_run(error)
            results.add_error("Error preparing a backup item action", error=str(error))

        with run_volumes(
            prepared,
            backup=backup,
            client=client,
            sink=sink,
            additional=additional,
            results=results,
            log=log,
            clock=clock,
            options=options,
            is_hooked=hooks.wraps if hooks is not None else _no_hooks,
        ) as volumes:
            backupper = ItemBackupper(
                backup,
                actions=load_actions(context, on_refused=on_refused, more=volumes.actions),
                archive=sink,
                additional=additional,
                results=results,
                log=log,
                hooks=hooks,
                volumes=volumes.station,
            )
            intake = PageIntake(sink, backupper, log=log, results=results)
            yield HeldItems(intake, backupper, sink=sink, additional=additional, volumes=volumes)
    finally:
        additional.close()


def _no_hooks(_: Mapping[str, Any]) -> bool:
    return False
