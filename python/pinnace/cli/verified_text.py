"""What a verification proved, for people."""

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pinnace.cli import human

if TYPE_CHECKING:
    from pinnace.backup.verify import Verified

__all__ = ["verified_lines"]


def verified_lines(verified: "Verified") -> Iterator[str]:
    """Give the text line by line: what it is, what was proven, what nothing could prove."""
    yield f"backup {verified.backup_name}, written by {verified.written_by}: no difference"
    yield f"  {human.counted(verified.item_count, 'item')} in {human.byte_size(verified.archive_bytes)}"
    yield f"  SHA-256 of the archive: {verified.archive_sha256}"
    for title, sentences in (("proven", verified.proven), ("not proven", verified.not_proven)):
        yield f"{title}:"
        for sentence in sentences:
            yield from textwrap.wrap(sentence, width=110, initial_indent="  - ", subsequent_indent="    ")
