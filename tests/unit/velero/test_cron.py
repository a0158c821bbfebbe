"""When a Schedule is due: Velero's spelling, outages, daylight saving, and clocks that jump."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnace.errors import UsageError
from pinnace.velero.cron import parse_cron
from pinnace.velero.timestamps import timestamp

_DESCRIPTORS = "@yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly"
_GOLDEN = Path(__file__).parents[2] / "golden"
_BERLIN = "CRON_TZ=Europe/Berlin "


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def following(expression: str, *, after: str, count: int = 1) -> list[str]:
    """The due times after a time, in UTC, to the minute."""
    cron, time, found = parse_cron(expression), at(after), []
    for _ in range(count):
        due = cron.next_after(time)
        assert due is not None
        assert due > time
        time = due
        found.append(time.strftime("%Y-%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("expression", "after", "due"),
    [
        ("0 2 * * *", "2026-01-01 02:00", ["2026-01-02 02:00"]),
        ("0 2 * * *", "2026-01-01 01:59:59", ["2026-01-01 02:00"]),
        ("*/15 * * * *", "2026-01-01 00:00", ["2026-01-01 00:15", "2026-01-01 00:30"]),
        ("50/5 * * * *", "2026-01-01 00:51", ["2026-01-01 00:55", "2026-01-01 01:50"]),
        ("0 0 ? jan-feb MON", "2026-01-01 00:00", ["2026-01-05 00:00", "2026-01-12 00:00"]),
        ("0 0 13 * 5", "2026-02-01 00:00", ["2026-02-06 00:00", "2026-02-13 00:00"]),
        ("0 0 */10 * 1", "2026-01-01 00:00", ["2026-01-05 00:00", "2026-01-11 00:00", "2026-01-12 00:00"]),
        ("0 0 13 * 5,*", "2026-02-01 00:00", ["2026-02-13 00:00", "2026-03-13 00:00"]),
        ("0 0 * * 1/2", "2026-01-04 00:00", ["2026-01-05 00:00", "2026-01-07 00:00", "2026-01-09 00:00"]),
        ("0 0 * * 5/1", "2026-01-01 00:00", ["2026-01-02 00:00", "2026-01-03 00:00", "2026-01-09 00:00"]),
        ("0 0 * * sat/1", "2026-01-01 00:00", ["2026-01-03 00:00", "2026-01-10 00:00"]),
        ("0 0 * * fri-5/2", "2026-01-01 00:00", ["2026-01-02 00:00", "2026-01-09 00:00"]),
        ("0 0 29 2 *", "2026-01-01 00:00", ["2028-02-29 00:00"]),
        ("@yearly", "2026-01-01 00:00", ["2027-01-01 00:00"]),
        ("@monthly", "2026-01-01 00:00", ["2026-02-01 00:00"]),
        ("@weekly", "2026-01-01 00:00", ["2026-01-04 00:00"]),
        ("@daily", "2026-01-01 00:00", ["2026-01-02 00:00"]),
        ("@midnight", "2026-01-01 00:00", ["2026-01-02 00:00"]),
        ("@hourly", "2026-01-01 00:00", ["2026-01-01 01:00"]),
        ("@every 1h30m", "2026-01-01 00:07", ["2026-01-01 01:37", "2026-01-01 03:07"]),
        ("CRON_TZ=America/New_York 0 2 * * *", "2026-01-01 00:00", ["2026-01-01 07:00"]),
        ("TZ=Asia/Tokyo @daily", "2026-01-01 00:00", ["2026-01-01 15:00"]),
    ],
)
def test_expressions_are_read_as_velero_reads_them(expression: str, after: str, due: list[str]) -> None:
    assert following(expression, after=after, count=len(due)) == due


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "'' has 0 fields, not 5: minute, hour, day of month, month, day of week"),
        ("0 0 2 * * *", "'0 0 2 * * *' has 6 fields, not 5: minute, hour, day of month, month, day of week"),
        ("61 * * * *", "'61 * * * *': bad minute"),
        ("0 0 30 2 *", "'0 0 30 2 *': bad day-of-month"),
        ("0 0 * * 7", "day of week '7': days are 0 to 6 or SUN to SAT, Sunday is 0"),
        ("0 0 L * *", "day of month 'L' is not a number, a range, a list, `*` or one of these with a step"),
        ("0 0 * * 5#2", "day of week '5#2' is not a number, a range, a list, `*` or one of these with a step"),
        ("*/0 * * * *", "minute '*/0' is not a number, a range, a list, `*` or one of these with a step"),
        ("*-5 * * * *", "minute '*-5' is not a number, a range, a list, `*` or one of these with a step"),
        (
            "@often",
            f"@often is not known; {_DESCRIPTORS} and `@every 1h` are",
        ),
        ("@every 1d", "@every: '1d' is not a duration: days are written as hours, 24h"),
        ("@every 10ms", "@every 10ms: less than a second"),
        ("CRON_TZ=Mars/Base 0 0 * * *", "time zone 'Mars/Base' is not known; name it as Europe/Berlin"),
        ("CRON_TZ=/etc/passwd @daily", "time zone '/etc/passwd' is not known; name it as Europe/Berlin"),
    ],
)
def test_what_is_no_expression_says_why(expression: str, reason: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_cron(expression)
    assert str(raised.value) == reason


@pytest.mark.parametrize(
    ("expression", "since", "now", "due"),
    [
        ("0 2 * * *", "2026-01-01 02:00", "2026-01-02 01:59:59", None),
        ("0 2 * * *", "2026-01-01 02:00", "2026-01-02 02:00", "2026-01-02 02:00"),
        # An outage of a month, or of years: one backup.
        ("0 2 * * *", "2026-01-01 02:00", "2026-02-01 09:30", "2026-02-01 02:00"),
        ("* * * * *", "2016-01-01 02:00", "2026-02-01 09:30:30", "2026-02-01 09:30"),
        ("@every 7h", "2026-01-01 00:00", "2026-01-02 00:00", "2026-01-01 21:00"),
        ("@every 7h", "2026-01-01 00:00", "2026-01-01 06:59:59", None),
        # Clocks that were put back: what was made is not due again.
        ("0 2 * * *", "2026-01-02 02:00", "2026-01-01 12:00", None),
        ("@every 7h", "2026-01-02 02:00", "2026-01-01 12:00", None),
        # 29 March 2026, 01:00 UTC: clocks go from 2:00 to 3:00, and 2:30 does not come.
        (_BERLIN + "30 2 * * *", "2026-03-28 01:30", "2026-03-29 00:59", None),
        (_BERLIN + "30 2 * * *", "2026-03-28 01:30", "2026-03-29 01:00", "2026-03-29 01:00"),
        (_BERLIN + "30 2 * * *", "2026-03-29 01:00", "2026-03-29 12:00", None),
        (_BERLIN + "30 2 * * *", "2026-03-29 01:00", "2026-03-30 00:30", "2026-03-30 00:30"),
        (_BERLIN + "0 * * * *", "2026-03-29 00:00", "2026-03-29 01:00", "2026-03-29 01:00"),
        # 25 October 2026, 01:00 UTC: clocks go from 3:00 to 2:00, and 2:30 comes twice.
        (_BERLIN + "30 2 * * *", "2026-10-24 00:30", "2026-10-25 00:30", "2026-10-25 00:30"),
        (_BERLIN + "30 2 * * *", "2026-10-25 00:30", "2026-10-25 01:30", None),
        (_BERLIN + "30 2 * * *", "2026-10-25 00:40", "2026-10-26 01:29", None),
        (_BERLIN + "30 2 * * *", "2026-10-25 01:10", "2026-10-26 01:30", "2026-10-26 01:30"),
        (_BERLIN + "30 2 * * *", "2026-10-20 00:30", "2026-10-25 01:10", "2026-10-25 00:30"),
        (_BERLIN + "30 * * * *", "2026-10-25 00:30", "2026-10-25 01:30", "2026-10-25 01:30"),
    ],
)
def test_the_last_time_that_was_missed_is_due(expression: str, since: str, now: str, due: str | None) -> None:
    found = parse_cron(expression).due_time(since=at(since), now=at(now))
    assert found == (at(due) if due else None)


_RECORDED = [line.split("\t") for line in (_GOLDEN / "cron" / "due-times.tsv").read_text().splitlines()]


@pytest.mark.parametrize(("after", "expression", "due"), _RECORDED)
def test_due_times_are_those_that_veleros_own_library_gave(after: str, expression: str, due: str) -> None:
    cron_or_none, time = None, datetime.fromisoformat(after)
    found: list[str] = []
    with suppress(UsageError):
        cron_or_none = parse_cron(expression)
    while cron_or_none is not None and len(found) < 4:
        following_time = cron_or_none.next_after(time)
        assert following_time is not None
        time = following_time
        found.append(timestamp(time))
    assert (" ".join(found) or "refused") == due


_MINUTES = st.integers(0, 3 * 365 * 24 * 60)
_EXPRESSIONS = ("30 2 * * *", "*/20 * * * *", "0 */6 * * 1-5", "15 1,2,3 * * *", "0 0 1 * *", "@every 61m")
_ZONES = ("", _BERLIN, "CRON_TZ=America/Santiago ", "CRON_TZ=Australia/Lord_Howe ")


@given(st.sampled_from(_EXPRESSIONS), st.sampled_from(_ZONES), _MINUTES, st.integers(0, 3 * 24 * 60))
def test_the_due_time_is_the_last_of_those_that_followed_each_other(
    expression: str, zone: str, begin: int, passed: int
) -> None:
    cron = parse_cron(zone + expression)
    since = at("2025-01-01 00:00") + timedelta(minutes=begin)
    now, expected, time = since + timedelta(minutes=passed), None, cron.next_after(since)
    while time is not None and time <= now:
        expected, time = time, cron.next_after(time)
    assert cron.due_time(since=since, now=now) == expected
