"""How long a failing request is repeated."""

import pytest

from pinnace.collect.patience import Patience
from pinnace.errors import KubeError, ServerUnreachableError

_MINUTE = [0.5, 1.0, 2.0, 4.0, *[8.0] * 6]


def error(status: int, *, reason: str = "x", retry_after_seconds: float = 0.0) -> KubeError:
    made = KubeError(request="GET /x", status=status, reason=reason)
    made.retry_after_seconds = retry_after_seconds
    return made


def pauses(failure: KubeError, patience: Patience) -> list[float]:
    made: list[float] = []
    while (pause := patience.pause_seconds(failure)) is not None:
        made.append(pause)
        patience = patience.after(pause)
    return made


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (ServerUnreachableError(request="GET /x", status=0, reason="refused"), _MINUTE),
        (error(502), _MINUTE),
        (error(503), _MINUTE),
        (error(0), _MINUTE[:4]),
        (error(500), _MINUTE[:4]),
        (error(504), _MINUTE[:4]),
        (error(503, reason="service unavailable"), [0.5]),
        (error(401), []),
        (error(403), []),
        (error(404), []),
        (error(410), []),
        (error(503, retry_after_seconds=20.0), [20.0, 20.0, 20.0]),
        (error(429, retry_after_seconds=100.0), [100.0, 100.0, 100.0]),
        (error(429, retry_after_seconds=300.0), [300.0]),
    ],
)
def test_each_failure_has_its_own_patience(failure: KubeError, expected: list[float]) -> None:
    assert pauses(failure, Patience()) == expected


def test_throttling_is_waited_out_for_five_minutes() -> None:
    assert 290 <= sum(pauses(error(429), Patience())) <= 300


@pytest.mark.parametrize(
    ("failure", "patience", "expected"),
    [
        (error(503), Patience(is_aggregated=True), [0.5]),
        (error(503), Patience(is_hurried=True), [0.5]),
        (error(500), Patience(is_hurried=True), [0.5]),
        (error(403), Patience(is_known=True), _MINUTE[:4]),
        (error(404), Patience(is_known=True), _MINUTE[:4]),
        (error(404), Patience(is_known=True, is_hurried=True), [0.5]),
        (ServerUnreachableError(request="GET /x", status=0, reason="no"), Patience(is_hurried=True), _MINUTE),
    ],
)
def test_some_lists_get_less_or_more(failure: KubeError, patience: Patience, expected: list[float]) -> None:
    assert pauses(failure, patience) == expected
