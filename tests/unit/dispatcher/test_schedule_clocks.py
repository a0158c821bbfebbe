"""What a Schedule makes while clocks jump, dispatchers are away and backups take long: each due time one, no storm."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from unit.dispatcher.schedule_api import Api, dispatcher

_BERLIN = "CRON_TZ=Europe/Berlin "
_DAYS = ("20260102020000", "20260103020000", "20260104020000", "20260105020000")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def between(begin: str, end: str) -> Callable[[datetime], bool]:
    return lambda now: at(begin) <= now < at(end)


@dataclass(frozen=True)
class Row:
    """What happens, by true time, and the due times of which a Backup is made, in the order in which it is made.

    `wrong` is by how much the dispatcher's clock is ahead; `acts` are changes of the spec.
    """

    made: tuple[str, ...]
    expression: str = "0 2 * * *"
    begin: str = "2026-01-01 12:00"
    hours: int = 92
    wrong: Callable[[datetime], timedelta] = lambda _: timedelta()
    is_away: Callable[[datetime], bool] = lambda _: False
    takes: timedelta = timedelta(minutes=30)
    meanwhile: str = "InProgress"
    spec: Mapping[str, Any] = field(default_factory=dict)
    acts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def ahead(days: int, begin: str, end: str = "2027-01-01 00:00") -> Callable[[datetime], timedelta]:
    return lambda now: timedelta(days=days) if between(begin, end)(now) else timedelta()


_ROWS = {
    "every night": Row(_DAYS),
    "in a zone": Row(
        ("20260102070000", "20260103070000", "20260104070000", "20260105070000"),
        "CRON_TZ=America/New_York 0 2 * * *",
    ),
    "spring: 2:30 does not come, and is made at 3:00": Row(
        ("20260328013000", "20260329010000", "20260330003000", "20260331003000"),
        _BERLIN + "30 2 * * *", "2026-03-27 12:00",
    ),
    "spring: away for that night, one is made": Row(
        ("20260328013000", "20260329010000", "20260330003000"), _BERLIN + "30 2 * * *", "2026-03-27 12:00", 64,
        is_away=between("2026-03-29 00:00", "2026-03-29 09:00"),
    ),
    "autumn: 2:30 comes twice, and is made the first time": Row(
        ("20261024003000", "20261025003000", "20261026013000", "20261027013000"),
        _BERLIN + "30 2 * * *", "2026-10-23 12:00",
    ),
    "autumn: each real hour has one": Row(
        ("20261024233000", "20261025003000", "20261025013000", "20261025023000"),
        _BERLIN + "30 * * * *", "2026-10-24 23:00", 4,
    ),
    "the clock is put back by a day: times that come again have theirs": Row(
        _DAYS[:3], wrong=ahead(-1, "2026-01-03 12:00")
    ),
    "the clock is put forward by a day": Row((*_DAYS, "20260106020000"), wrong=ahead(1, "2026-01-03 12:00")),
    "the clock is a day ahead for six hours": Row(_DAYS, wrong=ahead(1, "2026-01-03 12:00", "2026-01-03 18:00")),
    "the clock is a year ahead for an hour": Row(
        (*_DAYS[:2], "20270103020000", *_DAYS[2:]), wrong=ahead(365, "2026-01-03 12:00", "2026-01-03 13:00")
    ),
    "@every, from the last one on": Row(
        ("20260101190000", "20260102020000", "20260102090000"), "@every 7h", hours=22
    ),
    "@every, after an outage one": Row(
        ("20260101190000", "20260102160000", "20260102234500"), "@every 7h", hours=36,
        is_away=between("2026-01-01 20:00", "2026-01-02 16:45"),
    ),
    "an outage of three days: one, for the last of them": Row(
        (_DAYS[0], _DAYS[3]), is_away=between("2026-01-02 12:00", "2026-01-05 03:00")
    ),
    "an outage with hundreds of times: one": Row(
        ("20260101121500", "20260103120000", "20260103124500"), "*/5 * * * *", hours=49,
        takes=timedelta(minutes=29), is_away=between("2026-01-01 12:20", "2026-01-03 12:00"),
    ),
    "paused": Row((), spec={"paused": True}),
    "paused for two nights and unpaused: one, for the last of them": Row(
        (_DAYS[0], *_DAYS[2:]),
        acts={"2026-01-02 12:00": {"paused": True}, "2026-01-04 12:00": {"paused": False}},
    ),
    "unpaused by --skip-immediately: none before the next time": Row(
        (_DAYS[0], _DAYS[3]),
        acts={"2026-01-02 12:00": {"paused": True}, "2026-01-04 12:00": {"paused": False, "skipImmediately": True}},
    ),
    "skipImmediately from the start, after the time": Row(
        _DAYS[1:], begin="2026-01-02 03:00", hours=74, spec={"skipImmediately": True}
    ),
    "one that is queued for a day and a half keeps the next waiting": Row(
        (_DAYS[0], _DAYS[1], _DAYS[3]), takes=timedelta(hours=36), meanwhile="Queued"
    ),
    "one that runs for a day and a half does so too": Row(
        (_DAYS[0], _DAYS[1], _DAYS[3]), takes=timedelta(hours=36)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", _ROWS)
def test_each_due_time_has_one_backup(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody looks each quarter of an hour, and as often as there is something to do."""
    row = _ROWS[name]
    true = [at(row.begin)]
    api = Api(created=f"{true[0]:%Y-%m-%dT%H:%M:%SZ}", schedule=row.expression, **row.spec)
    controller = dispatcher(api, lambda: true[0] + row.wrong(true[0]), monkeypatch)
    for _ in range(4 * row.hours):
        true[0] += timedelta(minutes=15)
        api.schedule["spec"] |= row.acts.get(f"{true[0]:%Y-%m-%d %H:%M}") or {}
        for backup in api.backups.values():
            begun = backup.setdefault("begun", true[0])
            backup["status"]["phase"] = "Completed" if true[0] - begun >= row.takes else row.meanwhile
        if not row.is_away(true[0]):
            for _ in range(9):
                if controller.reconcile("nightly") is not None:
                    break
    assert tuple(made.removeprefix("nightly-") for made in api.backups) == row.made
