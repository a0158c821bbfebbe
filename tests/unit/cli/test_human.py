"""Times, sizes and selectors are spelled as Velero's tables spell them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pinnace.cli import human

_NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (75_534, "75.5 kB"), (1_200_000, "1.2 MB"), (12_345_000_000, "12.3 GB")],
)
def test_sizes(count: int, text: str) -> None:
    assert human.byte_size(count) == text


@pytest.mark.parametrize(
    ("distance", "text"),
    [
        (timedelta(days=29, hours=23), "29d"),
        (timedelta(days=800), "2y"),
        (timedelta(minutes=90), "1h"),
        (timedelta(seconds=61), "1m"),
        (timedelta(), "0s"),
        (-timedelta(hours=3), "3h ago"),
    ],
)
def test_times_by_their_distance(distance: timedelta, text: str) -> None:
    assert human.from_now((_NOW + distance).isoformat(), now=_NOW) == text


def test_a_time_that_is_none_is_not_available() -> None:
    assert (human.from_now("", now=_NOW), human.created_at("soon")) == ("n/a", "<nil>")
    assert human.created_at("2026-11-23T23:41:37Z") == "2026-11-23 23:41:37 +0000 UTC"


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (None, "<none>"),
        ({}, "<none>"),
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        (
            {
                "matchLabels": {"a": "1"},
                "matchExpressions": [
                    {"key": "b", "operator": "In", "values": ["x", "y"]},
                    {"key": "c", "operator": "NotIn", "values": ["x"]},
                    {"key": "d", "operator": "Exists"},
                    {"key": "e", "operator": "DoesNotExist"},
                ],
            },
            "a=1,b in (x,y),c notin (x),d,!e",
        ),
        ({"matchLabels": 1, "matchExpressions": [1, {"key": "a"}]}, "1,{'key': 'a'}"),
    ],
)
def test_selectors(selector: Any, text: str) -> None:
    assert human.selector(selector) == text


def test_backups_stand_by_name_and_those_of_a_schedule_newest_first() -> None:
    names = ["daily-20261101000000", "b", "daily-20261102000000", "a", "daily", "daily-2"]
    assert sorted(names, key=human.sort_key) == [
        "a", "b", "daily", "daily-20261102000000", "daily-20261101000000", "daily-2",
    ]  # fmt: skip
