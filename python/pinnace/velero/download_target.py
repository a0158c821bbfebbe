"""What a DownloadRequest may ask for, and which object of the bucket that is (object_store_layout.go)."""

from collections.abc import Callable, Mapping

from pinnace.velero.object_store_layout import BackupKeys

__all__ = ["RESTORE_TARGETS", "TARGETS", "target_key"]


def _backup(suffix: str) -> Callable[[str], str]:
    return lambda name: f"{BackupKeys(name).prefix}{name}{suffix}"


def _restore(suffix: str, *, word: str = "restore-") -> Callable[[str], str]:
    return lambda name: f"restores/{name}/{word}{name}{suffix}"


_BACKUP_KEYS: Mapping[str, Callable[[str], str]] = {
    "BackupLog": _backup("-logs.gz"),
    "BackupContents": _backup(".tar.gz"),
    "BackupVolumeSnapshots": _backup("-volumesnapshots.json.gz"),
    "BackupItemOperations": _backup("-itemoperations.json.gz"),
    "BackupResourceList": _backup("-resource-list.json.gz"),
    "BackupResults": _backup("-results.gz"),
    "BackupVolumeInfos": _backup("-volumeinfo.json.gz"),
    "CSIBackupVolumeSnapshots": _backup("-csi-volumesnapshots.json.gz"),
    "CSIBackupVolumeSnapshotContents": _backup("-csi-volumesnapshotcontents.json.gz"),
}
_RESTORE_KEYS: Mapping[str, Callable[[str], str]] = {
    "RestoreLog": _restore("-logs.gz"),
    "RestoreResults": _restore("-results.gz"),
    "RestoreResourceList": _restore("-resource-list.json.gz"),
    "RestoreItemOperations": _restore("-itemoperations.json.gz"),
    "RestoreVolumeInfo": _restore("-volumeinfo.json.gz", word=""),
}

RESTORE_TARGETS = frozenset(_RESTORE_KEYS)
"""Their name is that of a Restore, whose Backup says in which location they are."""

TARGETS = frozenset({*_BACKUP_KEYS, *_RESTORE_KEYS})
"""The kinds of Velero 1.18's CRD. Some name objects that pinnace never writes: their URL answers 404, as in Velero."""


def target_key(kind: str, name: str) -> str:
    """Give the key of what is asked for, relative to the location's prefix; KeyError for a kind that does not exist."""
    return {**_BACKUP_KEYS, **_RESTORE_KEYS}[kind](name)
