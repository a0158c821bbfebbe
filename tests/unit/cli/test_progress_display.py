"""Where stderr is no terminal, progress is a line now and then, with kinds, items, bytes, rate and time left."""

import re
import sys

import pytest

from pinnace import logs
from pinnace.cli.progress_display import RunDisplay, VerifyDisplay
from pinnace.settings import Settings


@pytest.fixture(autouse=True)
def lines_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    logs.set_up(level=None, log_format="text")


def test_a_run_says_what_is_coming_and_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with RunDisplay(Settings(progress_seconds=0)) as display:
        display.planned(kind_count=3, list_count=5, item_count=2000)
        display.progressed(group_resource="pods", item_count=1000, page_bytes=2_500_000)
        display.progressed(group_resource="secrets", item_count=2100, page_bytes=3_000_000)
    text = re.sub(r"[0-9,]+ items/s", "N items/s", capsys.readouterr().err)
    lines = re.sub(r", [0-9]+[smh] left", ", T left", text).splitlines()
    assert lines == [
        "backing up about 2,000 items of 3 kinds in 5 lists",
        "pods: 1,000 of about 2,000 items, 1 of 3 kinds, 2.5 MB, N items/s, T left",
        "secrets: 2,100 of about 2,100 items, 2 of 3 kinds, 3.0 MB, N items/s, T left",
    ]


def test_lines_come_no_more_often_than_the_settings_say(capsys: pytest.CaptureFixture[str]) -> None:
    with RunDisplay(Settings(progress_seconds=3600)) as display:
        for count in range(100):
            display.progressed(group_resource="pods", item_count=count, page_bytes=count)
    assert capsys.readouterr().err == ""


def test_a_verification_says_how_much_of_the_archive_was_read(capsys: pytest.CaptureFixture[str]) -> None:
    with VerifyDisplay(Settings(progress_seconds=0)) as display:
        display.opened(archive_bytes=2_000_000)
        display.read(chunk_bytes=500_000)
    line = re.sub(r", [0-9.,]+ [a-zA-Z]+/s, [0-9]+[smh] left", ", RATE, T left", capsys.readouterr().err)
    assert line == "verifying: 500.0 kB of 2.0 MB, RATE, T left\n"


def test_on_a_terminal_there_is_a_bar_and_no_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with RunDisplay(Settings(progress_seconds=0)) as display:
        display.planned(kind_count=3, list_count=5, item_count=2000)
        display.progressed(group_resource="pods", item_count=1000, page_bytes=2_500_000)
    shown = capsys.readouterr().err
    assert ("pods" in shown, "50%" in shown, "backing up" in shown) == (True, True, False)
