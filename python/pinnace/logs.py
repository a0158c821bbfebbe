"""What a process writes to stderr for people or programs, set up in one place over the standard library's logging.

Two loggers of their own: `pinnace.run` has the lines of a backup's log, `pinnace.progress` says how far a run is.
Modules that belong to no run (the dispatcher's) log under their own names.
"""

import json
import logging
import sys
from datetime import UTC, datetime

__all__ = ["PROGRESS", "set_up"]

PROGRESS = logging.getLogger("pinnace.progress")

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_NO_LINES = logging.CRITICAL + 1
_NAMES = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error"}
"""logrus' words, so that a reader of Velero's logs knows them."""


def set_up(*, level: str | None, log_format: str) -> None:
    """Write log lines of `level` and above to stderr; progress is written in any case.

    None is for a person who runs one command: no lines of the run, and only warnings of the rest of pinnace.
    May be called again: the last call counts.
    """
    logger = logging.getLogger("pinnace")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    handler = _StderrHandler()
    handler.setFormatter(_JsonLine() if log_format == "json" else _TextLine())
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(_LEVELS[level] if level else logging.WARNING)
    PROGRESS.setLevel(logging.INFO)
    logging.getLogger("pinnace.run").setLevel(_LEVELS[level] if level else _NO_LINES)


class _StderrHandler(logging.Handler):
    """Writes to whatever stderr is at the moment: a live progress bar replaces it to keep lines above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr, flush=True)


class _TextLine(logging.Formatter):
    """For people: a line of progress as it is; a log line with time, level and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        if record.name == PROGRESS.name:
            return record.getMessage()
        fields = "".join(f" {key}={_shown(value)}" for key, value in sorted(_fields(record).items()))
        return f"{_time(record)} {_NAMES.get(record.levelno, 'info'):7} {record.getMessage()}{fields}"


class _JsonLine(logging.Formatter):
    """For programs: the keys of Velero's JSON log, time, level and msg first."""

    def format(self, record: logging.LogRecord) -> str:
        pairs = {"time": _time(record), "level": _NAMES.get(record.levelno, "info"), "msg": record.getMessage()}
        return json.dumps({**pairs, **dict(sorted(_fields(record).items()))}, ensure_ascii=False)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return dict(getattr(record, "fields", {}))


def _shown(value: object) -> str:
    text = str(value)
    return (
        json.dumps(text, ensure_ascii=False)
        if not text or any(not c.isprintable() or c in ' "' for c in text)
        else text
    )


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
