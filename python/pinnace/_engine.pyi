"""The Rust extension: list responses in, archive bytes out. Bytes cross this border, nothing else."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Self, final

__all__ = ["Archive", "Digest", "FlaggedItem", "Page", "PageSummary", "RefusedItem", "build_info"]

def build_info() -> dict[str, str]:
    """Version, profile, target and commit of the build, `deflate` (library in use) and `deflate_version`."""

@final
class Archive:
    """One backup's archive, index and resource list, made from pages in the order in which they are opened.

    `level` is `fast`, `default` or `small`; `mtime_seconds` (Unix) is every tar entry's mtime, so that the
    same input gives the same bytes; `threads` in all for scanning and compressing (1: all in the caller).
    The first tar entry is `metadata/version`. Methods that touch bytes release the GIL.
    """

    def __new__(cls, *, level: str, mtime_seconds: int, threads: int = 2) -> Self: ...
    def page(
        self,
        *,
        request: str,
        group_resource: str,
        api_version: str,
        kind: str,
        preferred: bool = True,
        excluded_namespaces: Sequence[str] = (),
        only_names: AbstractSet[str] | None = None,
        deduplicate: bool = False,
        flagged_annotations: Sequence[str] = (),
        skip_items: int = 0,
        skip_uid: str | None = None,
    ) -> Page:
        """Open the next list response; one page is open at a time (EngineError otherwise).

        `request` names the page in errors. `only_names` archives just these names (Namespaces).
        `deduplicate` skips items that an earlier page with `deduplicate` wrote, known by a 16-byte SHA-256 prefix.
        `flagged_annotations` are exact keys, at most 32 (EngineError otherwise): the summary names the archived items
        that carry one with a text that is not empty, those of `status.phase` Succeeded or Failed aside.
        `skip_items` passes over that many leading items, which an earlier, broken response already archived;
        `skip_uid` must be the uid of the last of them (MalformedPageError `resume_mismatch` otherwise).
        """

    def add_item(
        self, item: bytes, *, group_resource: str, api_version: str, kind: str, preferred: bool = True
    ) -> bool:
        """Archive one item given as JSON; False where it was already written. No page may be open."""

    def take_archive(self) -> bytes:
        """Compressed bytes that are ready, whole gzip members, in order; empty if there are none."""

    def take_index(self) -> bytes:
        """Ready bytes of the gzipped index (`<B>-index.jsonl.gz`)."""

    def take_resource_list(self) -> bytes:
        """Ready bytes of the gzipped resource list (`<B>-resource-list.json.gz`)."""

    def finish(self) -> Digest:
        """End all three streams; the last bytes are then there to take. EngineError while a page is open."""

@final
class Page:
    """One list response being fed. After an error it is closed and the archive holds only whole items."""

    def feed(self, chunk: bytes, /) -> None:
        """Take the next bytes of the body, of any length; MalformedPageError at the first byte that can't be."""

    def finish(self) -> PageSummary:
        """End of the body; MalformedPageError `truncated` if the list is not complete."""

    def abandon(self) -> PageSummary:
        """Close a page whose response broke off, if it is open, and tell what it held; items archived so far stay."""

    @property
    def continue_token(self) -> str | None:
        """`metadata.continue` as soon as it is seen, else None."""

    @property
    def resource_version(self) -> str | None:
        """`metadata.resourceVersion` of the list as soon as it is seen."""

    @property
    def item_count(self) -> int:
        """Items passed so far in this response, `skip_items` included."""

    @property
    def last_uid(self) -> str | None:
        """uid of the last item passed."""

@final
class PageSummary:
    """What one page held."""

    request: str
    item_count: int
    written_count: int
    page_bytes: int
    archived_bytes: int
    """Canonical JSON bytes of the written items, each counted once."""
    continue_token: str | None
    resource_version: str | None
    remaining_item_count: int | None
    namespaces: dict[str, int]
    """Written items by namespace; cluster-scoped ones under the empty name."""
    skipped: dict[str, int]
    """Counts by reason: `exclude_label`, `deleting`, `namespace`, `name`, `duplicate`, `resumed`."""
    refused: list[RefusedItem]
    """The first 100 refused items; `refused_count` counts all."""
    refused_count: int
    flagged: list[FlaggedItem]
    """The first 100 annotations among `flagged_annotations` that archived items carry; `flagged_count` counts all."""
    flagged_count: int

@final
class RefusedItem:
    """An item that can't be archived though the page is well-formed (no metadata, a name that escapes a path)."""

    namespace: str
    name: str
    offset: int
    reason: str
    detail: str

@final
class FlaggedItem:
    """An archived item with one of the page's flagged annotations; one for each such annotation."""

    namespace: str
    name: str
    annotation: str

@final
class Digest:
    """What the finished archive is."""

    archive_bytes: int
    archive_sha256: str
    tar_bytes: int
    item_count: int
    index_sha256: str
    member_count: int
