"""Where Velero keeps a backup's objects, relative to the location's prefix (object_store_layout.go)."""

from dataclasses import dataclass

__all__ = ["PERMITTED_DIRECTORIES", "BackupKeys", "normalize_prefix"]

PERMITTED_DIRECTORIES = ("backups", "restores", "restic", "metadata", "plugins", "kopia")
"""Any other directory at the prefix makes the location Unavailable for every Velero that uses it."""


def normalize_prefix(prefix: str) -> str:
    """Trim slashes and give what keys are put behind: "" or `<prefix>/` (object_store_layout.go)."""
    trimmed = prefix.strip("/")
    return f"{trimmed}/" if trimmed else ""


@dataclass(frozen=True)
class BackupKeys:
    """The keys of one backup's objects; manifest and index are pinnace's own, the others Velero's."""

    name: str

    @property
    def prefix(self) -> str:
        """The directory that holds everything of this backup, with its slash."""
        return f"backups/{self.name}/"

    @property
    def shards(self) -> str:
        """What pods that make one backup leave for each other while they do: a directory, with its slash (pinnace)."""
        return f"{self.prefix}shards/"

    @property
    def metadata(self) -> str:
        """The Backup itself; the backup exists if this does."""
        return f"{self.prefix}velero-backup.json"

    @property
    def archive(self) -> str:
        """The items, a gzipped tar."""
        return self._named(".tar.gz")

    @property
    def log(self) -> str:
        """The backup's log."""
        return self._named("-logs.gz")

    @property
    def results(self) -> str:
        """Errors and warnings."""
        return self._named("-results.gz")

    @property
    def resource_list(self) -> str:
        """The names of the items by kind."""
        return self._named("-resource-list.json.gz")

    @property
    def pod_volume_backups(self) -> str:
        """PodVolumeBackups."""
        return self._named("-podvolumebackups.json.gz")

    @property
    def volume_snapshots(self) -> str:
        """Native snapshots."""
        return self._named("-volumesnapshots.json.gz")

    @property
    def item_operations(self) -> str:
        """Asynchronous operations."""
        return self._named("-itemoperations.json.gz")

    @property
    def volume_info(self) -> str:
        """What became of each volume."""
        return self._named("-volumeinfo.json.gz")

    @property
    def csi_volume_snapshots(self) -> str:
        """VolumeSnapshots, as Velero up to 1.16 writes and every later one reads them."""
        return self._named("-csi-volumesnapshots.json.gz")

    @property
    def csi_volume_snapshot_contents(self) -> str:
        """VolumeSnapshotContents."""
        return self._named("-csi-volumesnapshotcontents.json.gz")

    @property
    def csi_volume_snapshot_classes(self) -> str:
        """VolumeSnapshotClasses."""
        return self._named("-csi-volumesnapshotclasses.json.gz")

    @property
    def manifest(self) -> str:
        """Counts, revisions and digests (pinnace)."""
        return self._named("-manifest.json.gz")

    @property
    def index(self) -> str:
        """Every item's place and SHA-256 (pinnace)."""
        return self._named("-index.jsonl.gz")

    def all(self) -> tuple[str, ...]:
        """Give every key, the metadata last: the order in which they may become visible."""
        return (
            self.archive,
            self.log,
            self.results,
            self.resource_list,
            self.pod_volume_backups,
            self.volume_snapshots,
            self.item_operations,
            self.volume_info,
            self.manifest,
            self.index,
            self.metadata,
        )

    def _named(self, suffix: str) -> str:
        return f"{self.prefix}{self.name}{suffix}"
