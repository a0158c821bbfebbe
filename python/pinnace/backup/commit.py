"""The end of a run: the streams are ended, the small objects written, and the metadata, last, makes it visible."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pinnace.backup import documents
from pinnace.backup.archive_sink import ArchiveSink
from pinnace.backup.log import VeleroLog
from pinnace.backup.missed_kinds import warn_of_missed
from pinnace.backup.prepare import Prepared
from pinnace.collect.collected_list import CollectedList
from pinnace.engine import Digest
from pinnace.errors import BackupExistsError, ObjectExistsError
from pinnace.store.backup_store import BackupStore
from pinnace.velero import encode
from pinnace.velero.backup import Backup
from pinnace.velero.phase import Phase
from pinnace.velero.results import Results
from pinnace.velero.timestamps import timestamp
from pinnace.volumes.outcome import VolumeOutcome

__all__ = ["Outcome", "commit"]


@dataclass(frozen=True)
class Outcome:
    """A finished backup."""

    backup: Backup
    results: Results
    lists: tuple[CollectedList, ...]
    digest: Digest


def commit(
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
    volumes: VolumeOutcome,
) -> Outcome:
    """Commit the archive first, under a name that must be free, so that of two runs of one name one stops there.

    BackupExistsError where another run was first; nothing of it was then touched.
    """
    try:
        sink.commit()
    except ObjectExistsError as error:
        raise BackupExistsError(location=store.location, backup_name=store.backup_name) from error
    stored = {resource.group_resource: count for resource, count in sink.kind_counts.items()}
    warn_of_missed(prepared, lists, stored=stored, results=results)
    for entry in results.closing_entries():
        log.entry(entry)
    log.info(message=f"Backed up a total of {digest.item_count} items")
    log.commit()
    finished = backup.with_status(
        phase=(Phase.PARTIALLY_FAILED if results.error_count else Phase.COMPLETED).value,
        completion_timestamp=timestamp(clock()),
        failure_reason="",
        errors=results.error_count,
        warnings=results.warning_count,
        total_items=digest.item_count,
        items_backed_up=digest.item_count,
        others={**backup.status.others, **volumes.status_fields()},
    )
    metadata = encode.indented(finished.to_document())
    bodies = documents.companions(store.keys, results, finished, volumes)
    objects = {key: documents.digest_of(body) for key, body in {**bodies, store.keys.metadata: metadata}.items()}
    objects |= {store.keys.log: log.digest, store.keys.resource_list: sink.resource_list_digest}
    manifest = documents.manifest(
        finished, digest, prepared=prepared, lists=lists, kind_counts=sink.kind_counts, objects=objects
    )
    bodies[store.keys.manifest] = encode.gzipped(encode.compact(manifest))
    for key, body in bodies.items():
        store.put(key, body)
    if warning := store.commit_metadata(metadata):
        results.add_warning(warning)
    return Outcome(finished, results, lists, digest)
