"""Archives lists, and tells results and log how each of them went."""

from collections.abc import Generator, Sequence
from contextlib import closing

from pinnace.backup.log import VeleroLog
from pinnace.backup.page_intake import PageIntake
from pinnace.collect.collected_list import CollectedList
from pinnace.collect.item_collector import ItemCollector, Probe
from pinnace.velero.results import Results

__all__ = ["collect"]


def collect(
    collector: ItemCollector, probes: Sequence[Probe], *, sink: PageIntake, results: Results, log: VeleroLog
) -> Generator[CollectedList, None, None]:
    """Archive each list in order; one that can't be read is an error in the results."""
    # Closed here, and not when the error that ended the run is forgotten: requests are on their way.
    with closing(collector.collect(probes, sink=sink)) as lists:
        for collected in lists:
            _record(collected, results=results, log=log)
            yield collected


def _record(collected: CollectedList, *, results: Results, log: VeleroLog) -> None:
    resource = collected.request.resource.group_resource
    namespace = collected.request.namespace
    for warning in collected.warnings:
        results.add_warning(warning, namespace=namespace, resource=resource)
    if collected.protobuf_error:
        log.info("Listed as JSON from there on", resource=resource, because=collected.protobuf_error)
    if collected.error:
        results.add_error("Error listing items", namespace=namespace, resource=resource, error=collected.error)
    log.info(
        message=f"Backed up {collected.item_count} items",
        group=collected.request.resource.api_version,
        resource=resource,
    )
