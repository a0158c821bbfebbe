"""Label values are shortened as Velero shortens them, or its selectors would not find them."""

import pytest

from pinnace.velero.label import valid_name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("default", "default"),
        ("a" * 63, "a" * 63),
        # printf 'a%.0s' {1..64} | sha256sum
        ("a" * 64, "a" * 57 + "ffe054"),
    ],
)
def test_a_name_of_more_than_63_characters_ends_with_six_digits_of_its_sha256(name: str, value: str) -> None:
    assert valid_name(name) == value
