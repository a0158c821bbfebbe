"""The pipeline of one backup: read this first. Discover, plan, probe, collect into the archive, commit."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pinnace.backup import documents
from pinnace.backup.archive_sink import ArchiveSink
from pinnace.backup.log import VeleroLog
from pinnace.backup.prepare import Prepared, prepare
from pinnace.backup.progress import Observer
from pinnace.collect.collected_list import CollectedList
from pinnace.collect.item_collector import ItemCollector
from pinnace.engine import Archive, Digest
from pinnace.errors import ValidationFailedError
from pinnace.kube.client import Client
from pinnace.store.backup_store import BackupStore
from pinnace.velero import encode, validation
from pinnace.velero.backup import Backup
from pinnace.velero.phase import Phase
from pinnace.velero.results import Results
from pinnace.velero.timestamps import timestamp

__all__ = ["Observer", "Outcome", "RunOptions", "run"]

_DEFAULT_TTL_SECONDS = 30 * 24 * 3600.0
"""Velero's `--default-backup-ttl`."""


@dataclass(frozen=True)
class RunOptions:
    """How to run; `client_page_size` None adapts pages, 0 is unpaged; `level` is the engine's compression.

    `log_level` is that of the log object: debug, info, warning or error; at debug it has a line for each item.
    """

    consistency: str = "revision"
    client_page_size: int | None = None
    level: str = "default"
    threads: int = 2
    log_level: str = "info"


@dataclass(frozen=True)
class Outcome:
    """A finished backup."""

    backup: Backup
    results: Results
    lists: tuple[CollectedList, ...]
    digest: Digest


def run(
    backup: Backup,
    *,
    client: Client,
    store: BackupStore,
    options: RunOptions = RunOptions(),
    observer: Observer | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Outcome:
    """Back up a cluster into a store.

    A kind that can't be listed is an error in the results and the backup is PartiallyFailed; whatever ends the run
    (PinnaceError, a signal as InterruptedRun) removes what was written, so that nothing is visible.
    """
    if texts := validation.validate(backup):
        raise ValidationFailedError(backup_name=backup.name, errors=texts)
    leftovers = store.clear_leftovers()
    started = clock()
    backup = _started(backup, client=client, started=started)
    try:
        with ExitStack() as stack:
            log = stack.enter_context(
                VeleroLog(store.open(store.keys.log), backup=backup, clock=clock, level=options.log_level)
            )
            results = Results(log.entry)
            if leftovers.objects or leftovers.uploads:
                log.info(
                    message=f"Removed {leftovers.objects} objects and {leftovers.uploads} uploads of an unfinished run"
                )
            archive = Archive(level=options.level, mtime_seconds=int(started.timestamp()), threads=options.threads)
            sink = stack.enter_context(
                ArchiveSink(archive, store, observer=observer or Observer(), log=log, results=results)
            )
            prepared = prepare(client, backup, options=options, results=results, log=log)
            sink.expect(prepared)
            lists = tuple(_collect(prepared, client=client, sink=sink, options=options, results=results, log=log))
            digest = sink.finish()
            return _commit(
                backup, digest, prepared, lists, results=results, log=log, store=store, clock=clock, sink=sink
            )
    except BaseException as error:
        for sentence in store.discard():
            error.add_note(f"and not all of it could be removed: {sentence}")
        raise


def _started(backup: Backup, *, client: Client, started: datetime) -> Backup:
    ttl_seconds = backup.spec.ttl_seconds or _DEFAULT_TTL_SECONDS
    return documents.with_cluster_version(backup, client.version(), ttl_seconds=ttl_seconds).with_status(
        phase=Phase.IN_PROGRESS.value,
        start_timestamp=timestamp(started),
        expiration=timestamp(started + timedelta(seconds=ttl_seconds)),
    )


def _collect(
    prepared: Prepared,
    *,
    client: Client,
    sink: ArchiveSink,
    options: RunOptions,
    results: Results,
    log: VeleroLog,
) -> Iterator[CollectedList]:
    """Archive every list, and the Namespaces at last, when it is known from which an item came."""
    collector = ItemCollector(client, client_page_size=options.client_page_size)
    # Closed here, and not when the error that ended the run is forgotten: requests are on their way.
    with closing(collector.collect(prepared.probes, sink=sink)) as lists:
        for collected in lists:
            _record(collected, results=results, log=log)
            yield collected
    if namespaces := prepared.namespaces_probe(collected_from=sink.namespaces):
        for collected in collector.collect([namespaces], sink=sink):
            _record(collected, results=results, log=log)
            yield collected


def _record(collected: CollectedList, *, results: Results, log: VeleroLog) -> None:
    resource = collected.request.resource.group_resource
    namespace = collected.request.namespace
    for warning in collected.warnings:
        results.add_warning(warning, namespace=namespace, resource=resource)
    if collected.error:
        results.add_error("Error listing items", namespace=namespace, resource=resource, error=collected.error)
    log.info(
        message=f"Backed up {collected.item_count} items",
        group=collected.request.resource.api_version,
        resource=resource,
    )


def _commit(
    backup: Backup,
    digest: Digest,
    prepared: Prepared,
    lists: tuple[CollectedList, ...],
    *,
    results: Results,
    log: VeleroLog,
    store: BackupStore,
    clock: Callable[[], datetime],
    sink: ArchiveSink,
) -> Outcome:
    """Write the small objects, end the streams, and make all of it visible by the metadata, last."""
    for entry in results.closing_entries():
        log.entry(entry)
    log.info(message=f"Backed up a total of {digest.item_count} items")
    log.commit()
    sink.commit()
    finished = backup.with_status(
        phase=(Phase.PARTIALLY_FAILED if results.error_count else Phase.COMPLETED).value,
        completion_timestamp=timestamp(clock()),
        errors=results.error_count,
        warnings=results.warning_count,
        total_items=digest.item_count,
        items_backed_up=digest.item_count,
    )
    metadata = encode.indented(finished.to_document())
    bodies = documents.companions(store.keys, results)
    objects = {key: documents.digest_of(body) for key, body in {**bodies, store.keys.metadata: metadata}.items()}
    objects |= {store.keys.log: log.digest, store.keys.resource_list: sink.resource_list_digest}
    manifest = documents.manifest(
        finished, digest, prepared=prepared, lists=lists, broken_off_kinds=sink.broken_off_kinds, objects=objects
    )
    bodies[store.keys.manifest] = encode.gzipped(encode.compact(manifest))
    for key, body in bodies.items():
        store.put(key, body)
    if warning := store.commit_metadata(metadata):
        results.add_warning(warning)
    return Outcome(finished, results, lists, digest)
