"""The pipeline of one backup: read this first. Discover, plan, probe, collect into the archive, commit."""

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pinnace import interruption
from pinnace.backup import documents
from pinnace.backup.allocator import return_large_blocks
from pinnace.backup.archive_sink import ArchiveSink
from pinnace.backup.attempt import SOLE_ATTEMPT, Attempt
from pinnace.backup.collecting import collect
from pinnace.backup.commit import Outcome, commit
from pinnace.backup.held_items import HeldItems, held_items
from pinnace.backup.log import VeleroLog, left_on_failure
from pinnace.backup.prepare import Prepared, prepare
from pinnace.backup.progress import Observer, SharedProgress
from pinnace.backup.segments import make_segments
from pinnace.backup.shard_makers import Sharding
from pinnace.backup.shards import Shards, shards_of
from pinnace.collect.collected_list import CollectedList
from pinnace.collect.gate import Gate
from pinnace.collect.item_collector import ItemCollector
from pinnace.collect.list_encoding import Encodings
from pinnace.engine import Archive
from pinnace.errors import AttemptLostError, BackupExistsError, ValidationFailedError
from pinnace.hooks.allowed import AllowedHooks
from pinnace.hooks.runner import HookRunner
from pinnace.kube.client import Client
from pinnace.kube.exec import execute
from pinnace.store.backup_store import BackupStore, Leftovers
from pinnace.velero import validation
from pinnace.velero.backup import Backup
from pinnace.velero.phase import Phase
from pinnace.velero.results import Results
from pinnace.velero.timestamps import timestamp

__all__ = ["Observer", "Outcome", "RunOptions", "make", "run"]

_DEFAULT_TTL_SECONDS = 30 * 24 * 3600.0
"""Velero's `--default-backup-ttl`."""


@dataclass(frozen=True)
class RunOptions:
    """How to run; `client_page_size` None adapts pages, 0 is unpaged; `level` is the engine's compression.

    `list_encoding` is json, protobuf or auto (`collect/list_encoding.py`); the archive is the same.
    `log_level` is that of the log object: debug, info, warning or error; at debug it has a line for each item.
    `hooks` says which hooks may be run; others are errors.
    `no_snapshots_because` is why `snapshotVolumes: false` was set although the user did not ask for it.
    `sharding` says how many processes make it; None is this one alone.
    With `leaves_log` a run that fails leaves its log, which is then all that its user can read. Without
    `takes_csi_snapshots` nothing is written in the cluster; `credentials_file` is the bucket's, for native snapshots.
    """

    consistency: str = "revision"
    client_page_size: int | None = None
    list_encoding: str = "auto"
    level: str = "default"
    threads: int = 2
    log_level: str = "info"
    leaves_log: bool = False
    takes_csi_snapshots: bool = True
    no_snapshots_because: str = ""
    credentials_file: Path | None = None
    hooks: AllowedHooks = AllowedHooks.ANNOTATIONS
    sharding: Sharding | None = None


def run(
    backup: Backup,
    *,
    client: Client,
    store: BackupStore,
    options: RunOptions = RunOptions(),
    observer: Observer | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Outcome:
    """Back up a cluster into a store, from a Backup that nobody has prepared: validate and complete it, and make it."""
    if texts := validation.validate(backup):
        raise ValidationFailedError(backup_name=backup.name, errors=texts)
    store.check_absent()
    started = _started(backup, client=client, started=clock())
    return make(started, client=client, store=store, options=options, observer=observer, clock=clock)


@interruption.deferred()
def make(
    backup: Backup,
    *,
    client: Client,
    store: BackupStore,
    options: RunOptions = RunOptions(),
    observer: Observer | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    attempt: Attempt = SOLE_ATTEMPT,
) -> Outcome:
    """Make a Backup that is InProgress.

    A kind that can't be listed is an error in the results and the backup is PartiallyFailed; whatever ends the run
    (PinnaceError, a signal as InterruptedRun) removes what was written, so that nothing is visible. `attempt` is
    checked before anything becomes visible. Where another one has taken over, and where another run of the name was
    first (BackupExistsError), nothing but the own uploads is removed, since it may be the other's.
    """
    return_large_blocks()
    is_current = functools.cache(attempt.is_current)
    leftovers = store.clear_leftovers()
    try:
        with ExitStack() as stack:
            log = stack.enter_context(
                VeleroLog(store.open(store.keys.log), backup=backup, clock=clock, level=options.log_level)
            )
            if options.leaves_log:
                stack.enter_context(left_on_failure(log, may_write=is_current))
            results = Results(log.entry)
            _tell_leftovers(leftovers, log=log)
            mtime_seconds = _mtime_seconds(backup)
            archive = Archive(level=options.level, mtime_seconds=mtime_seconds, threads=options.threads)
            progress = SharedProgress(observer or Observer())
            sink = stack.enter_context(ArchiveSink(archive, store, observer=progress, log=log))
            collector = ItemCollector(
                client,
                client_page_size=options.client_page_size,
                encodings=Encodings(options.list_encoding, server=client.minor_version),
            )
            prepared = prepare(client, backup, collector=collector, options=options, results=results, log=log)
            sink.expect(prepared)
            hooks = HookRunner(
                functools.partial(execute, client), resource_hooks=prepared.resource_hooks, allowed=options.hooks
            )
            held = stack.enter_context(
                held_items(
                    prepared,
                    backup=backup,
                    client=client,
                    sink=sink,
                    results=results,
                    log=log,
                    clock=clock,
                    hooks=hooks,
                    options=options,
                )
            )
            shards = stack.enter_context(
                shards_of(
                    make_segments(held.paced(prepared.probes), is_own=held.is_needed_for),
                    backup=backup,
                    options=options,
                    mtime_seconds=mtime_seconds,
                    sink=sink,
                    store=store,
                    results=results,
                    log=log,
                    progress=progress,
                )
            )
            lists = tuple(
                _collect(prepared, shards, collector=collector, sink=sink, held=held, results=results, log=log)
            )
            _tell_refusals(client.throttled_count, gate=collector.gate, log=log)
            digest = sink.finish()
            attempt.check()
            held.volumes.keep()
            backup = backup.with_status(others={**backup.status.others, "hookStatus": hooks.status})
            return commit(
                backup,
                digest,
                prepared,
                lists,
                results=results,
                log=log,
                store=store,
                clock=clock,
                sink=sink,
                volumes=held.volumes.outcome,
            )
    except (AttemptLostError, BackupExistsError):
        raise
    except BaseException as error:
        if not is_current():
            raise
        for sentence in store.discard(keep_log=options.leaves_log):
            error.add_note(f"and not all of it could be removed: {sentence}")
        raise


def _started(backup: Backup, *, client: Client, started: datetime) -> Backup:
    ttl_seconds = backup.spec.ttl_seconds or _DEFAULT_TTL_SECONDS
    return documents.with_cluster_version(backup, client.version(), ttl_seconds=ttl_seconds).with_status(
        phase=Phase.IN_PROGRESS.value,
        start_timestamp=timestamp(started),
        expiration=timestamp(started + timedelta(seconds=ttl_seconds)),
    )


def _tell_refusals(throttled_count: int, *, gate: Gate, log: VeleroLog) -> None:
    """Say in one line why a run took longer, or gave the API server more work than it liked."""
    if throttled_count:
        narrowed = f" and went on with {gate.fewest} at once" if gate.fewest else ""
        log.info(
            message=f"The API server answered {throttled_count} requests with 429 (too many requests); they were sent "
            f"again after the pause that it asked for. Lists paused for {gate.closed_seconds:.0f} s in all{narrowed}"
        )


def _mtime_seconds(backup: Backup) -> int:
    """The time of every tar entry, so that the same input gives the same archive."""
    return int(datetime.fromisoformat(backup.status.start_timestamp).timestamp())


def _tell_leftovers(leftovers: Leftovers, *, log: VeleroLog) -> None:
    if leftovers.objects or leftovers.uploads:
        log.info(message=f"Removed {leftovers.objects} objects and {leftovers.uploads} uploads of an unfinished run")


def _collect(
    prepared: Prepared,
    shards: Shards,
    *,
    collector: ItemCollector,
    sink: ArchiveSink,
    held: HeldItems,
    results: Results,
    log: VeleroLog,
) -> Iterator[CollectedList]:
    """Archive every list and what its items pull in; the Namespaces last, when it is known from which an item came."""
    # Closed here, and not when the error that ended the run is forgotten: requests are on their way.
    with closing(collect(collector, shards.own, sink=held.intake, results=results, log=log)) as lists:
        for collected in lists:
            shards.check()
            yield collected
    yield from shards.adopt()
    held.finish()
    if namespaces := prepared.namespaces_probe(collected_from=sink.namespaces):
        yield from collect(collector, [namespaces], sink=held.intake, results=results, log=log)
