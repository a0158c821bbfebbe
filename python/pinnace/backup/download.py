"""Writes a stored archive into a new file."""

from pathlib import Path

from pinnace.errors import UsageError
from pinnace.store.backup_store import BackupStore

__all__ = ["download"]


def download(store: BackupStore, target: Path) -> Path:
    """Write the archive; UsageError where the file exists or can't be made, and no file after any failure."""
    store.read_metadata()
    try:
        file = target.open("xb")
    except FileExistsError as error:
        raise UsageError(f"{target} exists; give another file with --to") from error
    except OSError as error:
        raise UsageError(f"--to {target}: {error.strerror or error}") from error
    is_whole = False
    try:
        with file:
            for chunk in store.chunks(store.keys.archive):
                file.write(chunk)
        is_whole = True
    except OSError as error:
        raise UsageError(f"--to {target}: {error.strerror or error}") from error
    finally:
        if not is_whole:
            target.unlink(missing_ok=True)
    return target
