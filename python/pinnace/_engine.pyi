"""The Rust extension: list responses in, archive bytes out. Bytes cross this border, nothing else."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Self, final

__all__ = [
    "Archive",
    "ChunkedBody",
    "Digest",
    "HeldItem",
    "Page",
    "PageSummary",
    "Piece",
    "RefusedItem",
    "TlsSocket",
    "build_info",
    "protobuf_kinds",
    "read_items",
]

def build_info() -> dict[str, str]:
    """Version, profile, target and commit of the build, `deflate` (library in use) and `deflate_version`."""

def protobuf_kinds(version: str, /) -> list[tuple[str, str]]:
    """Give `apiVersion` and kind of what lists of a server of that minor version (`1.35`) may be read as protobuf."""

def read_items(body: bytes, *, request: str, api_version: str, kind: str) -> list[HeldItem]:
    """Give the items of a list response that no archive is made from, bar those whose name can't become a path.

    MalformedPageError naming `request` where it is no such list.
    """

@final
class Archive:
    """One backup's archive, index and resource list, made from pages in the order in which they are opened.

    `level` is `fast`, `default` or `small`; `mtime_seconds` (Unix) is every tar entry's mtime, so that the
    same input gives the same bytes; `threads` in all for scanning and compressing (1: all in the caller).
    The first tar entry is `metadata/version`. `is_stretch` makes a part of an archive, which another one adopts:
    without that entry before it and the tar's end after it. Methods that touch bytes release the GIL.
    """

    def __new__(cls, *, level: str, mtime_seconds: int, threads: int = 2, is_stretch: bool = False) -> Self: ...
    def page(
        self,
        *,
        request: str,
        group_resource: str,
        api_version: str,
        kind: str,
        preferred: bool = True,
        protobuf_of: str = "",
        refuses_nil: bool = False,
        excluded_namespaces: Sequence[str] = (),
        only_names: AbstractSet[str] | None = None,
        deduplicate: bool = False,
        hold_everything: bool = False,
        hold_namespaces: AbstractSet[str] | None = None,
        hold_names: AbstractSet[str] | None = None,
        hold_paths: Sequence[Sequence[str]] = (),
        skip_items: int = 0,
        skip_uid: str | None = None,
    ) -> Page:
        """Open the next list response; one page is open at a time (EngineError otherwise).

        `request` names the page in errors. The body is JSON, or protobuf of a server of the minor version
        `protobuf_of` (what that version's table does not know is a MalformedPageError `unknown_field`). With
        `refuses_nil` an item of which JSON would show `null` or `[]` is a MalformedPageError `nil_or_empty`, since
        protobuf does not tell them apart; without, `null` is shown, as servers have it that keep objects as protobuf.
        `only_names` archives just these names (Namespaces).
        `deduplicate` skips items that an earlier page with `deduplicate` wrote, known by a 16-byte SHA-256 prefix.
        `hold_*` say which items are handed out instead (`engine.Hold`), of those that are not filtered.
        `skip_items` passes over that many leading items, which an earlier, broken response already archived;
        `skip_uid` must be the uid of the last of them (MalformedPageError `resume_mismatch` otherwise).
        """

    def register(self, *, api_version: str, kind: str, namespace: str, name: str) -> bool:
        """Note that an item is being archived; False where it was noted before.

        By this, by `add_item` or by a page that deduplicates; 16 bytes of a SHA-256 are kept of each.
        """

    def add_item(
        self,
        item: bytes,
        *,
        group_resource: str,
        api_version: str,
        kind: str,
        preferred: bool = True,
        registered: bool = False,
    ) -> bool:
        """Archive one item given as JSON, also while a page is open, between its chunks.

        False where it was noted before, unless the caller `registered` it.
        """

    def cut(self) -> None:
        """What follows begins a new gzip member, if anything came before; EngineError while a page is open."""

    def adopt_index(self, lines: bytes) -> None:
        """Take the next bytes of the gunzipped index of a stretch that begins where this archive is now.

        Its items get into index, resource list and counts as if they had been archived here.
        """

    def adopt(self, *, archive_bytes: int, archive_sha256: str, tar_bytes: int, member_count: int) -> None:
        """End the stretch whose index was taken, or one without items; the numbers are those of its digest.

        Its bytes are the archive's next ones, and never come by here.
        """

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

    def feed(self, chunk: bytes | Piece, /) -> None:
        """Take the next bytes of the body, of any length; MalformedPageError at the first byte that can't be.

        Held items of it are to be taken before more is fed (EngineError otherwise), also after a MalformedPageError.
        """

    def take_held(self) -> list[HeldItem]:
        """Give the held items of what was fed, in the list's order.

        `advance()` before each archives what comes before it; what comes after the last goes on by itself.
        """

    def advance(self) -> None:
        """Archive what comes before the next held item, which counts as dealt with from then on."""

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
    held_count: int
    """Items handed out; they are among `item_count`, and not among `written_count` or `namespaces`."""

@final
class RefusedItem:
    """An item that can't be archived though the page is well-formed (no metadata, a name that escapes a path)."""

    namespace: str
    name: str
    offset: int
    reason: str
    detail: str

@final
class HeldItem:
    """An item that a page hands out instead of archiving it."""

    @property
    def namespace(self) -> str:
        """Empty for cluster-scoped items."""

    @property
    def name(self) -> str:
        """`metadata.name`."""

    @property
    def json(self) -> bytes:
        """Its canonical JSON, with `apiVersion` and `kind`."""

@final
class Digest:
    """What the finished archive is."""

    archive_bytes: int
    archive_sha256: str
    """Empty where the archive has stretches."""
    stretches: list[tuple[int, str]]
    """Bytes and SHA-256 of each part of the archive, in order, where it adopted some of them."""
    tar_bytes: int
    item_count: int
    index_sha256: str
    member_count: int

@final
class TlsSocket:
    """A TLS connection (1.2 or 1.3) over a connected TCP socket; reading and writing release the GIL.

    `descriptor` belongs to it from now on, whatever happens: give what `socket.detach()` gave. The server's
    certificate has to come from `authority` and be `server_name`'s, a DNS name or an address. `certificate` and `key`
    say who the client is; empty: nobody. All three are PEM. Failures are `ConnectionError`, and `TimeoutError` where
    nothing came for `timeout_seconds`.
    """

    def __new__(
        cls,
        descriptor: int,
        /,
        *,
        server_name: str,
        authority: bytes,
        certificate: bytes,
        key: bytes,
        timeout_seconds: float,
    ) -> Self: ...
    def fileno(self) -> int:
        """The descriptor, to wait for it."""

    def settimeout(self, seconds: float | None, /) -> None:
        """Let each wait last so long; None is for ever."""

    def sendall(self, data: bytes, /) -> None:
        """Send all of it."""

    def recv(self, most: int, /) -> bytes:
        """Give up to `most` bytes, as soon as there is one; none at the end."""

    def hang_up(self) -> None:
        """End it in both directions; a thread that waits gets a ConnectionError at once."""

@final
class Piece:
    """Bytes of a body; their memory is used again for later ones once nobody has the piece."""

    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...

@final
class ChunkedBody:
    """A body in `Transfer-Encoding: chunked` that is being read; `begun` was read of it already, framing and all."""

    def __new__(cls, socket: TlsSocket, begun: bytes) -> Self: ...
    def read(self, least: int, /) -> Piece:
        """Give at least `least` bytes of it, at most 16 KiB more, or what is left; none after its end.

        ConnectionError where it breaks off or its framing is broken.
        """
