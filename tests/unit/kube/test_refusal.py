"""How long a server asks to wait."""

from datetime import UTC, datetime

import pytest

from pinnace.kube.refusal import retry_after_seconds

_NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 0.0),
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("Fri, 02 Jan 2026 03:04:35 GMT", 30.0),
        ("Friday, 02-Jan-26 03:04:35 GMT", 30.0),
        ("Fri, 02 Jan 2026 03:04:35 -0000", 30.0),
        ("Fri, 02 Jan 2026 03:04:00 GMT", 0.0),
        ("Sat, 03 Jan 2026 03:04:00 GMT", 300.0),
        ("86400", 300.0),
        ("soon", 0.0),
        ("-5", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_has_a_bound(text: str | None, seconds: float) -> None:
    assert retry_after_seconds(text, now=_NOW) == seconds
