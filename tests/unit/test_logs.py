"""What is written to stderr: progress in any case, log lines from the level that was asked for, as text or JSON."""

import json
import logging
from collections.abc import Iterator

import pytest

from pinnace import logs

_RUN = logging.getLogger("pinnace.run")
_OTHER = logging.getLogger("pinnace.dispatcher.controller")


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Leave the loggers as they were."""
    logger = logging.getLogger("pinnace")
    kept = (logger.handlers[:], logger.propagate, logger.level, _RUN.level, logs.PROGRESS.level)
    yield
    logger.handlers[:], logger.propagate = kept[0], kept[1]
    for each, level in zip((logger, _RUN, logs.PROGRESS), kept[2:], strict=True):
        each.setLevel(level)


def write() -> None:
    _RUN.debug("item", extra={"fields": {"name": "a"}})
    _RUN.info("page %s", 1, extra={"fields": {"resource": "pods", "items": 2, "request": 'GET "/x"'}})
    _RUN.warning("w")
    _OTHER.info("other")
    _OTHER.warning("other w")
    logs.PROGRESS.info("half of it")


def without_time(line: str) -> str:
    assert line[4] == "-"
    assert line[19:21] == "Z "
    return line[21:]


def test_without_a_level_only_progress_and_what_is_wrong_elsewhere_is_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.set_up(level=None, log_format="text")
    write()
    first, last = capsys.readouterr().err.splitlines()
    assert (without_time(first), last) == ("warning other w", "half of it")


def test_lines_of_the_level_and_above_are_written_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(level="debug", log_format="text")
    logs.set_up(level="info", log_format="text")
    write()
    *lines, last = capsys.readouterr().err.splitlines()
    assert [*map(without_time, lines), last] == [
        'info    page 1 items=2 request="GET \\"/x\\"" resource=pods',
        "warning w",
        "info    other",
        "warning other w",
        "half of it",
    ]


def test_json_is_an_object_a_line_with_the_words_of_velero(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(level="info", log_format="json")
    write()
    objects = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [list(each) for each in objects] == [
        ["time", "level", "msg", "items", "request", "resource"],
        *[["time", "level", "msg"]] * 4,
    ]
    assert [(each["level"], each["msg"]) for each in objects] == [
        ("info", "page 1"), ("warning", "w"), ("info", "other"), ("warning", "other w"), ("info", "half of it"),
    ]  # fmt: skip
