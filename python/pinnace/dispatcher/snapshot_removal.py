"""What a deletion asks of those who take volume snapshots: that they remove those of a backup, before their list goes.

Nothing here removes any yet. A backup that has some, ours or that of a Velero, is then not deleted: its snapshots would
stay for ever, and nothing would say any more that they exist.
"""

import gzip
import zlib
from collections.abc import Sequence
from typing import Any, Protocol

import orjson

from pinnace.errors import MalformedObjectError
from pinnace.store.backup_store import BackupStore
from pinnace.velero.download_target import target_key

__all__ = ["RefuseSnapshots", "SnapshotRemoval"]


class SnapshotRemoval(Protocol):
    """Removes what lies outside of the bucket's prefix; it may be asked again for what is gone already."""

    def remove(self, store: BackupStore) -> Sequence[str]:
        """Remove all snapshots of a backup; gives a sentence for each that is left. StoreError."""


class RefuseSnapshots:
    """Removes none, and names what there is."""

    def remove(self, store: BackupStore) -> Sequence[str]:
        """Give a sentence for each way by which volumes of this backup were kept."""
        keys, name = store.keys, store.backup_name
        infos = _entries(store, keys.volume_info)
        counts = {
            "native volume snapshots": len(_entries(store, keys.volume_snapshots)),
            "pod volume backups": len(_entries(store, keys.pod_volume_backups)),
            "CSI snapshots": max(
                len(_entries(store, target_key("CSIBackupVolumeSnapshots", name))),
                sum(1 for info in infos if info.get("backupMethod") == "CSISnapshot"),
            ),
        }
        return [
            f"backup {name} has {count} {what}, which pinnace can't remove; delete it with the Velero that made it"
            for what, count in counts.items()
            if count
        ]


def _entries(store: BackupStore, key: str) -> list[dict[str, Any]]:
    if not store.has(key):
        return []
    try:
        entries = orjson.loads(gzip.decompress(store.read(key)))
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise MalformedObjectError(location=store.location, key=key, reason=f"it can't be read: {error}") from error
    if entries is None:
        return []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise MalformedObjectError(location=store.location, key=key, reason="it is no list")
    return entries
