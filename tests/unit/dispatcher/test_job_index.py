"""Indexes are read as the Job controller writes them."""

import pytest

from pinnace.dispatcher.job_index import failed_count, index_of, indexes, is_indexed
from unit.dispatcher.documents import job, pod


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, set()),
        ("", set()),
        ("0", {0}),
        ("0,2", {0, 2}),
        ("1-3", {1, 2, 3}),
        ("0,2-4,31", {0, 2, 3, 4, 31}),
        ("what else", set()),
    ],
)
def test_indexes_of_a_status(text: str | None, expected: set[int]) -> None:
    assert indexes(text) == expected


def test_a_pod_says_its_index_and_how_many_failed_before_it() -> None:
    made = pod("Running", index=2, failed_before=1)
    assert (index_of(made), failed_count(made)) == (2, 1)
    plain = pod("Running")
    assert (index_of(plain), failed_count(plain)) == (0, 0)


def test_only_a_job_of_several_pods_is_indexed() -> None:
    assert [is_indexed(job()), is_indexed(job(shards=2)), is_indexed({})] == [False, True, False]
