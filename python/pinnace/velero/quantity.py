"""Kubernetes' quantities (`10Gi`, `1500M`, `1e3`) as bytes, and bytes as Kubernetes spells them (resource.Quantity)."""

import re
from decimal import Decimal

from pinnace.errors import UsageError

__all__ = ["format_bytes", "parse_quantity"]

_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_FACTORS: dict[str, Decimal] = {
    "": Decimal(1),
    **{suffix: Decimal(1024) ** (power + 1) for power, suffix in enumerate(_BINARY)},
    **{suffix: Decimal(1000) ** (power + 1) for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"))},
    **{suffix: Decimal(1000) ** -(power + 1) for power, suffix in enumerate(("m", "u", "n"))},
}
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:[eE]([+-]?[0-9]{1,3})|([KMGTPE]i|[kMGTPEmun]?))")


def parse_quantity(text: str, *, field: str) -> Decimal:
    """Give the amount, of bytes for storage; UsageError naming `field` for what is no quantity."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise UsageError(f"{field}: {text!r} is not a quantity such as 10Gi or 500M")
    number, exponent, suffix = found.groups()
    if exponent:
        return Decimal(number).scaleb(int(exponent))
    return Decimal(number) * _FACTORS[suffix or ""]


def format_bytes(amount: int) -> str:
    """Spell bytes with the largest binary suffix that leaves a whole number, as `resource.BinarySI` does."""
    suffix = ""
    for larger in _BINARY:
        if not amount or amount % 1024:
            break
        amount, suffix = amount // 1024, larger
    return f"{amount}{suffix}"
