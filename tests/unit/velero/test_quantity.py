"""Quantities of storage, read and spelled as Kubernetes does."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnace.errors import UsageError
from pinnace.velero.quantity import format_bytes, parse_quantity


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", "0"), ("10Gi", str(10 << 30)), ("1.5Ki", "1536"), ("500M", "500000000"), ("1e3", "1000"),
        ("12E2", "1200"), ("1E", "1000000000000000000"), ("100m", "0.1"), (".5k", "500"), ("-1", "-1"),
    ],
)  # fmt: skip
def test_a_quantity_is_an_amount(text: str, amount: str) -> None:
    assert parse_quantity(text, field="capacity") == Decimal(amount)


@pytest.mark.parametrize("text", ["", "Gi", "10 Gi", "10gi", "10GB", "1,5", "1e1000"])
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match=r"^capacity: .* is not a quantity such as 10Gi or 500M$"):
        parse_quantity(text, field="capacity")


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0"), (1, "1"), (1023, "1023"), (1024, "1Ki"), (3 << 30, "3Gi"), ((1 << 30) + 1, "1073741825")],
)
def test_bytes_are_spelled_with_the_largest_suffix_that_leaves_them_whole(amount: int, text: str) -> None:
    assert format_bytes(amount) == text


@given(st.integers(0, 1 << 70))
def test_what_is_spelled_is_read_again(amount: int) -> None:
    assert parse_quantity(format_bytes(amount), field="x") == amount
