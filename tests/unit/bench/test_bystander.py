"""What another client met: sorted by what else ran, and its percentiles."""

import pytest

from bench_samples import run
from pinnace.bench.bystander import Answered, besides
from pinnace.bench.figures import ALONE, BACKUP, FLOOR, Beside, Run
from pinnace.bench.run import promising_pages


def test_requests_belong_to_what_ran_when_they_were_due_and_those_between_to_nothing() -> None:
    answered = [
        Answered(due, latency, status)
        for due, latency, status in (
            (1.0, 0.01, 200),
            (2.5, 0.02, 200),
            (3.0, 0.5, 200),
            (3.9, 0.6, 429),
            (7.0, 9.0, 200),
        )
    ]
    windows = [(ALONE, 0.0, 2.0), (FLOOR, 5.0, 6.0), (BACKUP, 2.9, 3.5), (BACKUP, 3.8, 4.0)]
    assert besides(answered, windows) == (Beside(ALONE, (0.01,)), Beside(BACKUP, (0.5, 0.6), 1))


@pytest.mark.parametrize(("count", "p99"), [(1, 1), (60, 60), (100, 99), (200, 198)])
def test_the_p99_is_the_slowest_but_one_of_a_hundred(count: int, p99: int) -> None:
    beside = Beside(ALONE, tuple(float(number) for number in range(count, 0, -1)))
    assert (beside.p99_seconds, beside.slowest_seconds) == (p99, count)


def floors(**walls: list[float]) -> list[Run]:
    labels = {"unpaged": "unpaged", "small": "500 a page", "large": "20,000 a page"}
    return [run(FLOOR, labels[name], wall) for name, found in walls.items() for wall in found]


@pytest.mark.parametrize(
    ("walls", "kept"),
    [
        ({}, [0, 500, 20000]),
        ({"unpaged": [2.0], "small": [4.1], "large": [3.9]}, [0, 20000]),
        ({"unpaged": [2.0, 2.6], "small": [4.1], "large": [3.9, 2.5]}, [0, 20000]),
        ({"unpaged": [2.0, 2.6], "small": [4.1], "large": [3.9, 2.7]}, [0]),
        ({"unpaged": [3.0, 3.1], "small": [2.0, 2.1], "large": [3.9]}, [500]),
    ],
)
def test_a_page_size_that_can_not_become_the_floor_is_not_run_again(
    walls: dict[str, list[float]], kept: list[int]
) -> None:
    runs = [run(BACKUP, "pinnace", 9.0), *floors(**walls)]
    assert promising_pages((0, 500, 20000), runs) == kept
