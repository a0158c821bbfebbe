"""What one process of pinnace was told: read once, from its flags or else its environment, and never changed."""

from collections.abc import Mapping
from dataclasses import dataclass

from pinnace.errors import UsageError

__all__ = ["LOG_FORMATS", "LOG_LEVELS", "Settings"]

LOG_LEVELS = ("debug", "info", "warn", "error")
"""Velero's `--log-level`; `warning` is accepted too, as logrus does."""

LOG_FORMATS = ("text", "json")
"""Velero's `--log-format`."""

_VARIABLES = {"store": "PINNACE_STORE", "log_level": "PINNACE_LOG_LEVEL", "log_format": "PINNACE_LOG_FORMAT"}
_OF_PODS = (
    "PINNACE_ATTEMPT_ID", "PINNACE_BACKUP_UID", "PINNACE_COMPRESSION", "PINNACE_CSI_SNAPSHOTS", "PINNACE_HOOKS",
    "PINNACE_JOB_IMAGE", "PINNACE_LIST_ENCODING", "PINNACE_NAMESPACE", "PINNACE_POD_NAME", "PINNACE_SHARDS",
)  # fmt: skip
"""Flags of `pinnace dispatcher` and `pinnace backup job`, given by their manifests."""

_OF_OTHERS = ("PINNACE_COMMIT", "PINNACE_DEMO_LOCAL", "PINNACE_E2E")
"""Read by the extension's build, `just demo` and `just e2e`; they may well be set where a command is run."""


@dataclass(frozen=True)
class Settings:
    """The settings of a command of the command line; each field says unit, default and reason."""

    store: str = ""
    """URL of the store (`s3://bucket/prefix?...`, `file:///path`); empty, since no store is anybody's default."""

    log_level: str | None = None
    """Least level of log lines, on stderr and in the log object. None, the default, writes the object at info as a
    Velero server does, and leaves stderr to progress and results."""

    log_format: str = "text"
    """How lines on stderr are written: for people, or a JSON object each. The log object is always Velero's text."""

    progress_seconds: float = 5.0
    """Seconds between two lines of progress where stderr is no terminal: seldom enough for a CI log, and often enough
    to see that something goes on."""

    @property
    def stored_log_level(self) -> str:
        """Least level of the log object, in logrus' words."""
        level = self.log_level or "info"
        return "warning" if level == "warn" else level

    @classmethod
    def read(cls, environ: Mapping[str, str], **flags: str | None) -> "Settings":
        """Take each setting from its flag, else from its variable, else its default.

        UsageError for a `PINNACE_*` variable that nobody reads, since a typo must not be taken for a setting.
        """
        known = (*_VARIABLES.values(), *_OF_PODS, *_OF_OTHERS)
        for variable in sorted(environ):
            if variable.startswith("PINNACE_") and variable not in known:
                raise UsageError(f"{variable}: no such environment variable; known are {', '.join(sorted(known))}")
        values = {
            field: value
            for field, variable in _VARIABLES.items()
            if (value := flags.get(field) or environ.get(variable, ""))
        }
        if values.get("log_level") == "warning":
            values["log_level"] = "warn"
        for field, allowed in (("log_level", LOG_LEVELS), ("log_format", LOG_FORMATS)):
            if field in values and values[field] not in allowed:
                raise UsageError(f"{_origin(field, flags)} {values[field]}: give {', '.join(allowed)}")
        return cls(**values)  # type: ignore[arg-type]


def _origin(field: str, flags: Mapping[str, str | None]) -> str:
    return f"--{field.replace('_', '-')}" if flags.get(field) else f"{_VARIABLES[field]}:"
