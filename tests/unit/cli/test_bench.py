"""`pinnace bench`: what can't be measured is said before anything is begun."""

from pathlib import Path

import pytest

from command import pinnace


@pytest.mark.parametrize(
    ("arguments", "exit_code", "sentence"),
    [
        (("load", "--objects", "1", "--cluster", "gone"), 1,
         "error: local cluster gone: not ready; start it by: pinnace cluster up --name gone"),
        (("load", "--objects", "1", "--direct"), 2,
         "error: --direct: give --cluster; only a local cluster's etcd is written to"),
        (("run", "--compacted"), 2, "error: --compacted: give --cluster; only a local cluster's etcd is compacted"),
        (("run", "--page-sizes", "0,many"), 2, "error: --page-sizes 0,many: give numbers, as 0,500,5000"),
        (("report", "/nowhere/figures.json"), 2,
         "error: /nowhere/figures.json: [Errno 2] No such file or directory: '/nowhere/figures.json'"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], exit_code: int, sentence: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    ended = pinnace("bench", *arguments)
    assert (ended.returncode, ended.stderr) == (exit_code, f"{sentence}\n")


def test_nothing_asked_for_is_help_and_a_usage_error() -> None:
    shown = pinnace("bench")
    assert (shown.returncode, shown.stdout.startswith("Usage: ")) == (2, True)
