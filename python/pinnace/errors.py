"""The one hierarchy of exceptions: fields first, one sentence out, an exit code each.

Runs fail by these exceptions; items fail as data in `velero.results.Results`.
A sentence names the object, the cause and the fix, and never holds a Secret's content.
"""

from typing import ClassVar

__all__ = [
    "ActionLoadError",
    "AttemptLostError",
    "BackupExistsError",
    "BackupNotFoundError",
    "BenchError",
    "ClusterError",
    "ConditionUnsupportedError",
    "DownloadRefusedError",
    "EngineError",
    "ExecError",
    "ExecExitError",
    "ExecTimeoutError",
    "InstallError",
    "InstalledCrdError",
    "InterruptedRun",
    "ItemNotFoundError",
    "KubeError",
    "LeaseLostError",
    "LocationError",
    "MalformedObjectError",
    "MalformedPageError",
    "ObjectExistsError",
    "ObjectLockedError",
    "ObjectNotFoundError",
    "PinnaceError",
    "ServerUnreachableError",
    "ShardError",
    "StoreError",
    "StoreUnavailableError",
    "UsageError",
    "ValidationFailedError",
    "VerificationError",
    "VolumeError",
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


class MalformedObjectError(VerificationError):
    """An object of a backup whose bytes are not what an object of that key holds; `key` names it."""

    def __init__(self, *, location: str, key: str, reason: str) -> None:
        self.location = location
        self.key = key
        self.reason = reason
        super().__init__(f"{location}: {key}: {reason}")


class ActionLoadError(PinnaceError):
    """A backup item action that a package registers but that can't be made."""

    def __init__(self, *, entry_point: str, reason: str) -> None:
        self.entry_point = entry_point
        self.reason = reason
        super().__init__(
            f"backup item action {entry_point} can't be loaded: {reason}; repair or uninstall the package that has it"
        )


class InterruptedRun(BaseException):
    """A command that SIGINT or SIGTERM ended; `exit_code` is 128 + the signal's number.

    `consequence` says what that means for what was under way; "" where nothing was.
    No Exception, as KeyboardInterrupt is none: a signal may come inside a library that catches those and goes on.
    """

    def __init__(self, *, signal_number: int, consequence: str = "") -> None:
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number
        self.consequence = consequence
        super().__init__(signal_number)

    def __str__(self) -> str:
        sentence = f"interrupted by signal {self.signal_number}"
        return f"{sentence}; {self.consequence}" if self.consequence else sentence


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

    `continue_token` is what a 410 offers to go on with, `retry_after_seconds` what the server asks for (0: nothing).
    """

    continue_token: str = ""
    retry_after_seconds: float = 0.0

    def __init__(self, *, request: str, status: int, reason: str, fix: str = "") -> None:
        self.request = request
        self.status = status
        self.reason = reason
        self.fix = fix
        super().__init__(f"{request}: {reason}" + (f"; {fix}" if fix else ""))


class ServerUnreachableError(KubeError):
    """No connection to the API server came about: nothing more can be read from it."""


class ExecError(PinnaceError):
    """A command in a container that did not end well; `stdout` and `stderr` are what it said until then, cut."""

    def __init__(self, reason: str, *, stdout: str = "", stderr: str = "") -> None:
        self.reason = reason
        self.stdout = stdout
        self.stderr = stderr
        super().__init__(reason)


class ExecExitError(ExecError):
    """It ran to its end, which was another exit code than 0."""

    def __init__(self, *, code: int, stdout: str, stderr: str) -> None:
        self.code = code
        super().__init__(f"command terminated with exit code {code}", stdout=stdout, stderr=stderr)


class ExecTimeoutError(ExecError):
    """It did not end in time; nothing is known of it any more, and it may still run."""


class StoreError(PinnaceError):
    """The store refused or could not be reached; `location` names the bucket or folder."""

    def __init__(self, *, location: str, action: str, reason: str, fix: str = "") -> None:
        self.location = location
        self.action = action
        self.reason = reason
        self.fix = fix
        super().__init__(f"{location}: {action}: {reason}" + (f"; {fix}" if fix else ""))


class StoreUnavailableError(StoreError):
    """The store did not answer, broke off, or can't just now; the same request may succeed a little later."""


class ObjectNotFoundError(StoreError):
    """No object of that key."""


class ObjectExistsError(StoreError):
    """A conditional create found the key taken."""


class ObjectLockedError(StoreError):
    """An object that object lock protects; nothing may be removed of its backup before that ends."""


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


class LocationError(PinnaceError):
    """A BackupStorageLocation that is not there or can't be opened as it says."""

    def __init__(self, *, location_name: str, reason: str) -> None:
        self.location_name = location_name
        self.reason = reason
        super().__init__(f"BackupStorageLocation {location_name}: {reason}")


class VolumeError(PinnaceError):
    """A volume of which no snapshot could be taken: an error in the results, whose name stands beside it."""

    def __init__(self, *, reason: str, fix: str = "") -> None:
        self.reason = reason
        self.fix = fix
        super().__init__(f"{reason}; {fix}" if fix else reason)


class DownloadRefusedError(PinnaceError):
    """A DownloadRequest for which there is no URL; `request_name` names it, the sentence says why."""

    def __init__(self, *, request_name: str, reason: str) -> None:
        self.request_name = request_name
        self.reason = reason
        super().__init__(f"DownloadRequest {request_name}: {reason}")


class LeaseLostError(PinnaceError):
    """The leader could not renew its Lease; another one may lead now, so this one ends and is started again."""

    def __init__(self, *, namespace: str, lease_name: str) -> None:
        self.namespace = namespace
        self.lease_name = lease_name
        super().__init__(f"Lease {namespace}/{lease_name} could not be renewed; another dispatcher may lead now")


class AttemptLostError(PinnaceError):
    """Another attempt of the same backup has taken over; this one must not write any more."""

    def __init__(self, *, backup_name: str) -> None:
        self.backup_name = backup_name
        super().__init__(f"backup {backup_name}: another attempt has taken over, or the Backup is no longer InProgress")


class ShardError(PinnaceError):
    """A shard of a run that failed for good, and with it the run; `number` counts from 1, after the run's own."""

    def __init__(self, *, number: int, reason: str) -> None:
        self.number = number
        self.reason = reason
        super().__init__(f"shard {number}: {reason}")


class ItemNotFoundError(PinnaceError):
    """The backup has no such item, or no object of that kind (a log that was never uploaded)."""

    exit_code = 6


class ClusterError(PinnaceError):
    """The local cluster could not be built, started or stopped."""


class BenchError(PinnaceError):
    """Something could not be measured."""


class InstallError(PinnaceError):
    """Pinnace could not be put into the cluster, or not beside what is there."""


class ConditionUnsupportedError(StoreError):
    """The store has no conditional create; the caller must look first and put plainly."""


class InstalledCrdError(PinnaceError):
    """The installed CRD of Backups is not one that can be written to as asked."""

    def __init__(self, *, reason: str, fix: str) -> None:
        self.reason = reason
        self.fix = fix
        super().__init__(f"CustomResourceDefinition backups.velero.io: {reason}; {fix}")
