"""How many items to ask for in one page, from what the last page cost."""

from dataclasses import dataclass, replace

__all__ = ["UNPAGED", "PageCost", "PageSize"]

UNPAGED = 0
_FIRST_LIMIT = 500
_GROWTH = 4
_LARGEST_LIMIT = 50_000
_LARGEST_FIRST_BYTE_SHARE = 0.2
"""A page's fixed cost is worth paying less often where it is more than a fifth of the page's time."""

_LONGEST_BODY_SECONDS = 15.0
"""The apiserver cuts a list at 60 s; a page that grows fourfold must stay below that."""


@dataclass(frozen=True)
class PageCost:
    """What a page took: until its first byte, and from there to its last."""

    first_byte_seconds: float
    body_seconds: float


@dataclass(frozen=True)
class PageSize:
    """The `limit` of the next page of a kind; `fixed` is what `--client-page-size` gave (0 is unpaged)."""

    limit: int = _FIRST_LIMIT
    fixed: bool = False

    def after(self, cost: PageCost) -> "PageSize":
        """Grow while the first byte takes more than a fifth of the page and the body stays short."""
        total_seconds = cost.first_byte_seconds + cost.body_seconds
        is_costly = cost.first_byte_seconds > _LARGEST_FIRST_BYTE_SHARE * total_seconds
        if self.fixed or not is_costly or cost.body_seconds * _GROWTH > _LONGEST_BODY_SECONDS:
            return self
        return replace(self, limit=min(self.limit * _GROWTH, _LARGEST_LIMIT))

    def after_refusal(self) -> "PageSize":
        """Shrink after a 429 or a 504; what the user fixed stays."""
        return self if self.fixed else replace(self, limit=max(self.limit // _GROWTH, _FIRST_LIMIT))
