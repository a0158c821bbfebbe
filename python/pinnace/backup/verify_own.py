"""What can be proven of a backup that pinnace wrote: every byte, by its index and its manifest."""

import hashlib
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import NoReturn

from pinnace.archive import index
from pinnace.archive.gzip_stream import GzipStream, Member
from pinnace.archive.index import IndexLine
from pinnace.archive.item_path import VERSION_PATH, item_paths
from pinnace.archive.tar_stream import TarEntry, tar_entries
from pinnace.backup import stored
from pinnace.backup.resource_list import NameSum
from pinnace.backup.stored import Manifest
from pinnace.errors import VerificationError
from pinnace.store.backup_store import BackupStore

__all__ = ["OwnBackup"]

_MODE = 0o755


class OwnBackup:
    """A backup with index and manifest."""

    written_by = "pinnace"

    def __init__(self, store: BackupStore, manifest: Manifest) -> None:
        self._store = store
        self._manifest = manifest
        self._stretches = _Stretches([size for size, _ in manifest.archive_stretches])

    def watched(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Hash the parts of an archive that several processes made, as its bytes pass."""
        if len(self._manifest.archive_stretches) == 1:
            return chunks
        return self._stretches.watched(chunks)

    @property
    def proven(self) -> tuple[str, ...]:
        """Say what held."""
        objects = ("every other object by its SHA-256 in the manifest",) if self._manifest.objects else ()
        return (
            "archive and index by their SHA-256 in the manifest, and the tar from metadata/version to its end",
            "every item by its SHA-256 and place in the index: path, mode, size, and two equal copies",
            "no entry of the tar that the index does not have",
            "the resource list names exactly the items of the index",
            "the counts of the manifest for each kind, and those of velero-backup.json",
            *objects,
        )

    @property
    def not_proven(self) -> tuple[str, ...]:
        """Say what nothing in the store could prove."""
        objects = () if self._manifest.objects else ("the other objects: this manifest has no SHA-256 of them",)
        return (*objects, "that nobody wrote archive, index and manifest anew: compare with a copy of the manifest")

    def walk(self, archive: GzipStream) -> dict[str, NameSum]:
        """Read archive and index side by side; the names of each kind, summed up."""
        lines = index.open_index(self._store)
        entries = tar_entries(archive)
        places = _Places(archive)
        sums: dict[str, NameSum] = {}
        counts: Counter[tuple[str, str]] = Counter()
        _check_version(archive, next(entries, None))
        for line in index.index_lines(lines):
            self._check_item(line, entries, places)
            sums.setdefault(f"{line.api_version}/{line.kind}", NameSum()).add(_listed_name(line))
            counts[(line.group_resource, line.api_version)] += 1
        if (entry := next(entries, None)) is not None:
            self._differ(f"the archive has {entry.path}, which the index does not have")
        places.finish()
        self._compare_digests(archive, lines)
        self._compare_counts(counts)
        return sums

    def names(self, kind: str) -> Iterator[str]:
        """Name the items of one kind, as the resource list does."""
        for line in index.index_lines(index.open_index(self._store)):
            if f"{line.api_version}/{line.kind}" == kind:
                yield _listed_name(line)

    def compare_objects(self) -> None:
        """Compare every other object with its SHA-256 in the manifest."""
        for name, (size, sha256) in sorted(self._manifest.objects.items()):
            key = f"{self._store.keys.prefix}{name}"
            if stored.digest(self._store, key) != (size, sha256):
                self._differ(f"{key} is not what the manifest says: bytes or SHA-256 differ")

    def _check_item(self, line: IndexLine, entries: Iterator[TarEntry], places: "_Places") -> None:
        unversioned, preferred, versioned = item_paths(
            line.group_resource, api_version=line.api_version, namespace=line.namespace, name=line.name
        )
        first = next(entries, None)
        paths = (unversioned, preferred) if first is not None and first.path == unversioned else (versioned,)
        if first is None or first.path != paths[0]:
            found = "nothing" if first is None else first.path
            self._differ(f"{line.item_name}: its file {unversioned} is wanted next in the archive, not {found}")
        second = next(entries, None) if len(paths) == 2 else first
        if hashlib.sha256(first.body).hexdigest() != line.sha256:
            self._differ(f"{line.item_name} is not what the index says: SHA-256 differs")
        if len(first.body) != line.length:
            self._differ(f"{line.item_name}: the index says {line.length} bytes, its file has {len(first.body)}")
        if second is None or second.path != paths[-1] or second.body != first.body:
            self._differ(f"{line.item_name}: its second copy {paths[-1]} is missing or differs from the first")
        if first.mode != _MODE or second.mode != _MODE:
            self._differ(f"{line.item_name}: a file has a mode other than 0755")
        places.claim(line, first)

    def _compare_digests(self, archive: GzipStream, lines: GzipStream) -> None:
        hashes = [sha256 for _, sha256 in self._manifest.archive_stretches]
        found_hashes = [archive.sha256] if len(hashes) == 1 else self._stretches.hashes()
        for what, found, wanted in (
            *(("the archive's SHA-256", *pair) for pair in zip(found_hashes, hashes, strict=True)),
            ("the archive's bytes", archive.compressed_bytes, self._manifest.archive_bytes),
            (
                "the bytes of its parts",
                sum(size for size, _ in self._manifest.archive_stretches),
                archive.compressed_bytes,
            ),
            ("the index's SHA-256", lines.sha256, self._manifest.index_sha256),
        ):
            if found != wanted:
                self._differ(f"{what}: {found}, but the manifest says {wanted}")

    def _compare_counts(self, counts: Counter[tuple[str, str]]) -> None:
        wanted = self._manifest.kind_counts
        for kind in sorted({*counts, *wanted}):
            stated = wanted.get(kind, 0)
            if counts[kind] != stated:
                self._differ(f"{kind[0]} of {kind[1]}: {counts[kind]} items, but the manifest says {stated}")
        if counts.total() != self._manifest.item_count:
            self._differ(f"{counts.total()} items, but the manifest says {self._manifest.item_count}")

    def _differ(self, sentence: str) -> NoReturn:
        raise VerificationError(f"{self._store.location}: backup {self._store.backup_name}: {sentence}")


class _Stretches:
    """Hashes stretches of known lengths; what comes after the last one counts to it."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._hashes = [hashlib.sha256() for _ in sizes]
        self._sizes = sizes

    def watched(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        number, missing = 0, self._sizes[0]
        for chunk in chunks:
            rest = memoryview(chunk)
            while len(rest) > missing and number + 1 < len(self._sizes):
                self._hashes[number].update(rest[:missing])
                rest = rest[missing:]
                number, missing = number + 1, self._sizes[number + 1]
            self._hashes[number].update(rest)
            missing -= len(rest)
            yield chunk

    def hashes(self) -> list[str]:
        return [stretch.hexdigest() for stretch in self._hashes]


class _Places:
    """Compares what the index says of members with the members themselves, as each of them ends."""

    def __init__(self, archive: GzipStream) -> None:
        self._archive = archive
        self._claims: deque[tuple[Member, str]] = deque()
        self._ended: deque[Member] = deque()

    def claim(self, line: IndexLine, entry: TarEntry) -> None:
        """Take what the index says of an item whose file was just read."""
        member = Member(line.member_offset, line.member_bytes, entry.plain_offset - line.offset)
        if not self._claims or self._claims[-1][0] != member:
            self._claims.append((member, line.item_name))
        self._compare()

    def finish(self) -> None:
        """Compare the rest; the archive is at its end."""
        self._compare()
        if self._claims:
            self._fail(*self._claims[0])

    def _compare(self) -> None:
        """Compare claims of members that ended; those of the one that goes on wait."""
        self._ended.extend(self._archive.ended_members)
        self._archive.ended_members.clear()
        while self._claims:
            claimed, item_name = self._claims[0]
            while self._ended and self._ended[0].plain_offset < claimed.plain_offset:
                self._ended.popleft()
            if not self._ended:
                return
            if self._ended[0] != claimed:
                self._fail(claimed, item_name)
            self._claims.popleft()

    def _fail(self, claimed: Member, item_name: str) -> None:
        raise VerificationError(
            f"{self._archive.location}: {item_name}: the index says that it is in the gzip member at byte "
            f"{claimed.offset} of {self._archive.key}, and it is not"
        )


def _listed_name(line: IndexLine) -> str:
    return f"{line.namespace}/{line.name}" if line.namespace else line.name


def _check_version(archive: GzipStream, entry: TarEntry | None) -> None:
    if entry is None or (entry.path, entry.mode, entry.body) != (VERSION_PATH, _MODE, b"1.1.0\n"):
        archive.fail(f"its first entry is not {VERSION_PATH} with the format version 1.1.0")
