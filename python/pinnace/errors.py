"""The one hierarchy of exceptions: fields first, one sentence out, an exit code each.

Runs fail by these exceptions; items fail as data in `velero.results.Results`.
A sentence names the object, the cause and the fix, and never holds a Secret's content.
"""

from typing import ClassVar

__all__ = [
    "BackupExistsError",
    "BackupNotFoundError",
    "ClusterError",
    "ConditionUnsupportedError",
    "EngineError",
    "InstallError",
    "InterruptedRun",
    "ItemNotFoundError",
    "KubeError",
    "MalformedPageError",
    "ObjectExistsError",
    "ObjectNotFoundError",
    "PinnaceError",
    "StoreError",
    "UsageError",
    "ValidationFailedError",
    "VerificationError",
]


class PinnaceError(Exception):
    """Anything that ends a run; `exit_code` is what the process returns for it."""

    exit_code: ClassVar[int] = 1


class UsageError(PinnaceError):
    """A flag, file or environment variable that can't be used as given."""

    exit_code = 2


class ValidationFailedError(PinnaceError):
    """A Backup whose spec Velero's validation refuses; `errors` are Velero's own texts."""

    exit_code = 3

    def __init__(self, *, backup_name: str, errors: tuple[str, ...]) -> None:
        self.backup_name = backup_name
        self.errors = errors
        super().__init__(f"backup {backup_name}: {'; '.join(errors)}")


class VerificationError(PinnaceError):
    """A stored backup that is not what its manifest and index say."""

    exit_code = 5


class InterruptedRun(BaseException):
    """A run that SIGINT or SIGTERM ended; `exit_code` is 128 + the signal's number.

    No Exception, as KeyboardInterrupt is none: a signal may come inside a library that catches those and goes on.
    """

    def __init__(self, *, signal_number: int) -> None:
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number
        super().__init__(f"interrupted by signal {signal_number}; uploads were aborted and nothing is visible")


class EngineError(PinnaceError):
    """The engine refused what it was told to do; see its subclasses for refused input."""


class MalformedPageError(EngineError):
    """A list response that is not a well-formed list: which request, at which byte, why.

    `reason` is a stable word of the engine (`invalid_utf8`, `truncated`, `depth`, `not_a_list` ...),
    `detail` the sentence's end, `offset` counts bytes of the response body from 0.
    """

    def __init__(self, request: str, offset: int, reason: str, detail: str) -> None:
        self.request = request
        self.offset = offset
        self.reason = reason
        self.detail = detail
        super().__init__(f"{request}: byte {offset} of the response: {detail}")


class KubeError(PinnaceError):
    """A Kubernetes API request that failed; `status` is 0 where no response came.

    `continue_token` is what a 410 offers to go on with, `retry_after_seconds` what a 429 asks for.
    """

    continue_token: str = ""
    retry_after_seconds: float = 1.0

    def __init__(self, *, request: str, status: int, reason: str, fix: str = "") -> None:
        self.request = request
        self.status = status
        self.reason = reason
        self.fix = fix
        super().__init__(f"{request}: {reason}" + (f"; {fix}" if fix else ""))


class StoreError(PinnaceError):
    """The store refused or could not be reached; `location` names the bucket or folder."""

    def __init__(self, *, location: str, action: str, reason: str, fix: str = "") -> None:
        self.location = location
        self.action = action
        self.reason = reason
        self.fix = fix
        super().__init__(f"{location}: {action}: {reason}" + (f"; {fix}" if fix else ""))


class ObjectNotFoundError(StoreError):
    """No object of that key."""


class ObjectExistsError(StoreError):
    """A conditional create found the key taken."""


class BackupExistsError(PinnaceError):
    """A backup of that name is in the store; it is never overwritten."""

    def __init__(self, *, location: str, backup_name: str) -> None:
        self.location = location
        self.backup_name = backup_name
        super().__init__(f"{location}: backup {backup_name} already exists in object storage; choose another name")


class BackupNotFoundError(PinnaceError):
    """No `velero-backup.json` under that backup's prefix."""

    exit_code = 6

    def __init__(self, *, location: str, backup_name: str) -> None:
        self.location = location
        self.backup_name = backup_name
        super().__init__(f"{location}: backup {backup_name} not found; `pinnace backup get` lists what is there")


class ItemNotFoundError(PinnaceError):
    """The backup's index has no such item."""

    exit_code = 6


class ClusterError(PinnaceError):
    """The local cluster could not be built, started or stopped."""


class InstallError(PinnaceError):
    """Pinnace could not be put into the cluster, or not beside what is there."""


class ConditionUnsupportedError(StoreError):
    """The store has no conditional create; the caller must look first and put plainly."""
