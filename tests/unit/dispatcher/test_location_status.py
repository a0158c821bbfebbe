"""When a location is validated, what it says then, and which is the default: Velero's rules."""

from datetime import timedelta
from typing import Any

import pytest

from pinnace.dispatcher.location_status import is_due, not_default_any_more, status_after, wants_default
from unit.dispatcher.documents import NOW, later


def location(
    name: str = "main", *, created: float = -600, validated: float | None = None, **spec: Any
) -> dict[str, Any]:
    status = {} if validated is None else {"status": {"lastValidationTime": later(validated)}}
    return {"metadata": {"name": name, "creationTimestamp": later(created)}, "spec": spec, **status}


@pytest.mark.parametrize(
    ("frequency", "validated", "due"),
    [
        (None, None, True),
        (None, -59, False),
        (None, -60, True),
        ("10s", -9, False),
        ("10s", -10, True),
        ("0s", None, True),
        ("0s", -86400, False),
        ("often", -59, False),
        ("often", -60, True),
    ],
)
def test_it_is_validated_when_its_frequency_says_so(frequency: str | None, validated: float | None, due: bool) -> None:
    spec: dict[str, Any] = {} if frequency is None else {"validationFrequency": frequency}
    assert is_due(location(validated=validated, **spec), now=NOW) is due


def test_the_message_is_veleros() -> None:
    assert status_after(location(), error="no such bucket", now=NOW) == {
        "phase": "Unavailable",
        "lastValidationTime": later(0),
        "message": 'BackupStorageLocation "main" is unavailable: no such bucket',
    }
    assert status_after(location(), error="", now=NOW + timedelta(seconds=0.9)) == {
        "phase": "Available",
        "lastValidationTime": later(0),
        "message": "",
    }


def test_of_several_defaults_only_the_newest_stays() -> None:
    old, new, other = location("a", created=-9, default=True), location("b", created=-1, default=True), location("c")
    assert not_default_any_more([new, other, old]) == [old]
    assert not_default_any_more([new, other]) == []


def test_the_named_location_becomes_the_default_only_where_there_is_none() -> None:
    named, default = location("main"), location("other", default=True)
    assert wants_default([named], default_name="main") == named
    assert wants_default([named, default], default_name="main") is None
    assert wants_default([named], default_name="elsewhere") is None
