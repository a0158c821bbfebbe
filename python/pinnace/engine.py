"""The typed face of the extension: the one place that imports it, so that a missing build says what to do."""

from dataclasses import dataclass

try:
    from pinnace._engine import (
        Archive,
        ChunkedBody,
        Digest,
        HeldItem,
        Page,
        PageSummary,
        Piece,
        RefusedItem,
        TlsSocket,
        build_info,
        protobuf_kinds,
        read_items,
    )
except ModuleNotFoundError as error:
    if error.name != "pinnace._engine":
        raise
    raise ModuleNotFoundError(
        "the extension pinnace._engine is not built; run `maturin develop --release`", name=error.name
    ) from error

__all__ = [
    "NOTHING_HELD",
    "Archive",
    "ChunkedBody",
    "Digest",
    "HeldItem",
    "Hold",
    "Page",
    "PageSummary",
    "Piece",
    "RefusedItem",
    "TlsSocket",
    "build_info",
    "protobuf_kinds",
    "read_items",
]


@dataclass(frozen=True)
class Hold:
    """Which items of a kind the engine hands out instead of archiving them: those that any field here names.

    `names` are `namespace/name`, or `name` of cluster-scoped items. A path is a tuple of keys, `[]` for each element
    of an array: `("spec", "volumes", "[]", "persistentVolumeClaim")`; it names the items that have something there
    that is not null, empty text, `{}` or `[]`.
    """

    everything: bool = False
    namespaces: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    paths: frozenset[tuple[str, ...]] = frozenset()
    is_slow: bool = False
    """Dealing with one may take longer than a server lets a response wait: its list is read in pages that fit into
    what is read ahead."""

    def __or__(self, other: "Hold") -> "Hold":
        return Hold(
            everything=self.everything or other.everything,
            namespaces=self.namespaces | other.namespaces,
            names=self.names | other.names,
            paths=self.paths | other.paths,
            is_slow=self.is_slow or other.is_slow,
        )

    def __bool__(self) -> bool:
        return self != NOTHING_HELD


NOTHING_HELD = Hold()
