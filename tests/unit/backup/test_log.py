"""The log object is what Velero's would be: logrus' text, one line for each thing, and only at the level asked for."""

import gzip
import logging
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnace.backup.log import LEVELS, LOGGER, VeleroLog
from pinnace.store.filesystem import FilesystemStore
from pinnace.velero.backup import Backup
from pinnace.velero.log_line import log_line
from pinnace.velero.results import Entry, Results
from unit.backup.small_backup import NOW, write_backup

_TIME = 'time="2026-11-25T03:00:00Z"'


def parsed(line: str) -> dict[str, str]:
    """A logfmt reader of its own: `key=value` with Go's quoting, separated by a space."""
    pairs, at = {}, 0
    assert line.endswith("\n")
    while at < len(line) - 1:
        equals = line.index("=", at)
        key, at = line[at:equals], equals + 1
        if line[at] == '"':
            end = at + 1
            while line[end] != '"':
                end += 2 if line[end] == "\\" else 1
            value, at = unquoted(line[at + 1 : end]), end + 1
        else:
            end = min(line.index(mark, at) for mark in " \n" if mark in line[at:])
            value, at = line[at:end], end
        assert key not in pairs
        pairs[key] = value
        assert line[at] in " \n"
        at += 1
    return pairs


def unquoted(text: str) -> str:
    """Undo Go's %q."""
    named = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "\\": "\\"}

    def one(match: re.Match[str]) -> str:
        escape = match[1]
        return chr(int(escape[1:], 16)) if escape[0] in "xuU" else named[escape]

    return re.sub(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|.)", one, text, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("level", "message", "fields", "line"),
    [
        (
            "info",
            "Getting items for group",
            {"logSource": "pkg/backup/item_collector.go:77", "group": "v1", "backup": "velero/b1"},
            (f'{_TIME} level=info msg="Getting items for group" backup=velero/b1 group=v1 '
            'logSource="pkg/backup/item_collector.go:77"\n'),
        ),
        ("error", "done", {"name": "system:node"}, f'{_TIME} level=error msg=done name="system:node"\n'),
        ("debug", "a-b.c/d@e^f+G_9", {"z": "", "a": 7}, f"{_TIME} level=debug msg=a-b.c/d@e^f+G_9 a=7 z=\n"),
        (
            "warning",
            'say "x\\y"\n\t\x00\x7f é\u2028\U0001f600\u200b',
            {},
            f'{_TIME} level=warning msg="say \\"x\\\\y\\"\\n\\t\\x00\\x7f é\\u2028\U0001f600\\u200b"\n',
        ),
        ("info", "m", {"time": "1", "level": "x", "msg": "y"},
         f"{_TIME} level=info msg=m fields.level=x fields.msg=y fields.time=1\n"),
    ],
)  # fmt: skip
def test_a_line_is_as_logrus_writes_it(level: str, message: str, fields: dict[str, str | int], line: str) -> None:
    assert log_line(NOW, level, message, fields) == line


@given(
    message=st.text(),
    fields=st.dictionaries(st.from_regex(r"[A-Za-z][A-Za-z0-9.]{0,9}", fullmatch=True), st.text()),
    level=st.sampled_from(sorted(LEVELS)),
)
def test_every_message_and_field_can_be_read_back(message: str, fields: dict[str, str], level: str) -> None:
    line = log_line(NOW, level, message, fields)
    named = {f"fields.{key}" if key in ("time", "level", "msg") else key: value for key, value in fields.items()}
    expected = {"time": "2026-11-25T03:00:00Z", "level": level, "msg": message, **named}
    assert parsed(line) == expected
    assert list(parsed(line)) == ["time", "level", "msg", *sorted(named)]
    assert line.count("\n") == 1


def test_a_lone_surrogate_becomes_a_replacement_character() -> None:
    assert log_line(NOW, "info", "a\ud800", {}) == f'{_TIME} level=info msg="a\ufffd"\n'


def lines_of(folder: Path, *, level: str, results: Results | None = None) -> list[str]:
    store = write_backup(folder, log_level=level, results=results)
    text = gzip.decompress(store.read(store.keys.log)).decode()
    return re.sub(r"(logSource=\"[a-z_/]*\.py):[0-9]+\"", r'\1"', text).splitlines()


def test_pages_are_logged_at_info_and_items_only_at_debug(tmp_path: Path) -> None:
    prefix = f"{_TIME} level=info msg="
    suffix = "backup=velero/small"
    source = 'logSource="pinnace/backup/page_intake.py"'
    info = lines_of(tmp_path / "info", level="info")
    assert info[:2] == [
        f'{prefix}"Getting items" {suffix} {source} request="GET /api/v1/configmaps"',
        f'{prefix}"Archived a page" {suffix} bytes=4420 items=2 {source} resource=configmaps skipped.exclude_label=1',
    ]
    assert len(info) == 9
    debug = lines_of(tmp_path / "debug", level="debug")
    items = [line for line in debug if "level=debug" in line]
    assert sorted(info) == sorted(line for line in debug if line not in items)
    assert items[0] == (
        f'{_TIME} level=debug msg="Backed up item" {suffix} logSource="pinnace/backup/item_log.py" '
        "name=awkward namespace=golden-a resource=configmaps"
    )
    assert [parsed(line + "\n")["resource"] for line in items] == [
        "configmaps", "configmaps", "deployments.apps", "boats.harbour.example", "storageclasses.storage.k8s.io",
    ]  # fmt: skip
    assert lines_of(tmp_path / "warn", level="warning") == []


def test_a_result_is_logged_at_its_severity_with_the_place_that_found_it(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    with VeleroLog(store.open_writer("log"), backup=Backup(name="b"), clock=lambda: NOW) as log:
        results = Results(log.entry)
        results.add_error("m", namespace="ns", resource="pods", name="p", error="e: f")
        results.add_warning("w", namespace="")
        log.commit()
    written = gzip.decompress(store.get("log")).decode()
    assert re.sub(r"(\.py):[0-9]+\"", r'\1"', written).splitlines() == [
        (
            f'{_TIME} level=error msg=m backup=velero/b error="e: f" logSource="test_log.py" name=p namespace=ns '
            "resource=pods"
        ),
        f'{_TIME} level=warning msg=w backup=velero/b logSource="test_log.py" namespace=',
    ]


def test_equal_results_are_capped_and_the_log_ends_with_their_count(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    with VeleroLog(store.open_writer("log"), backup=Backup(name="b"), clock=lambda: NOW) as log:
        results = Results(log.entry)
        for number in range(103):
            results.add_error("m", namespace="ns", resource="pods", name=f"p{number}")
        for entry in results.closing_entries():
            log.entry(entry)
        log.commit()
    lines = [parsed(line + "\n") for line in gzip.decompress(store.get("log")).decode().splitlines()]
    assert len(lines) == 101
    assert {key: lines[-1][key] for key in ("level", "msg", "namespace", "resource")} == {
        "level": "error", "msg": "and 3 more like it: m", "namespace": "ns", "resource": "pods",
    }  # fmt: skip


def test_lines_go_to_the_logger_of_the_run_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[logging.LogRecord] = []
    monkeypatch.setattr(LOGGER, "isEnabledFor", lambda _: True)
    monkeypatch.setattr(LOGGER, "handle", seen.append)
    store = FilesystemStore(tmp_path)
    with VeleroLog(store.open_writer("log"), backup=Backup(name="b"), clock=lambda: NOW) as log:
        log.debug("m", resource="pods")
        log.entry(Entry("warning", "w"))
    assert [(record.levelname, record.getMessage()) for record in seen] == [("DEBUG", "m"), ("WARNING", "w")]
    assert vars(seen[0])["fields"] == {"resource": "pods"}
