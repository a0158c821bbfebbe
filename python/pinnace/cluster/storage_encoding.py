"""Objects as the API server keeps them in etcd, by its own code: protobuf, which it reads faster than JSON."""

import contextlib
import hashlib
import struct
import subprocess
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Final, cast

from pinnace.cluster import binaries, versions
from pinnace.cluster.etcd_loader import Entry
from pinnace.errors import ClusterError

__all__ = ["program", "stored"]

_SOURCE: Final = "protobuf/storage"
_LENGTH: Final = struct.Struct(">I")


def program(modules: Path) -> binaries.Program:
    """The encoder; its name has a hash of its source, since the cache's folder has the server's version only."""
    source = (modules / "kubernetes" / _SOURCE / "main.go").read_bytes()
    name = f"storage-encoder-{hashlib.sha256(source).hexdigest()[:8]}"
    return binaries.Program(name=name, package=f"./{_SOURCE}", module="kubernetes", linker_flags="-s -w")


def stored(entries: Iterable[Entry], *, report: binaries.Report) -> Iterator[Entry]:
    """Encode the values, each the JSON of an object in one line, in their order; custom resources stay JSON.

    Some hundred entries are in memory at once. ClusterError where a value is no object that the API server knows.
    """
    wanted = program(versions.modules_folder())
    path = binaries.ensure(report=report, more=(wanted,)).path(wanted.name)
    keys: deque[str] = deque()
    with (
        ThreadPoolExecutor(1, thread_name_prefix="feed") as threads,
        subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as encoder,
    ):
        stdin, stdout, stderr = (cast(IO[bytes], pipe) for pipe in (encoder.stdin, encoder.stdout, encoder.stderr))
        fed = threads.submit(_feed, entries, keys, stdin)
        while length := stdout.read(_LENGTH.size):
            yield keys.popleft(), stdout.read(_LENGTH.unpack(length)[0])
        said = stderr.read().decode(errors="replace").strip()
        if encoder.wait() != 0:
            raise ClusterError(f"{path.name}: {said}")
        fed.result()


def _feed(entries: Iterable[Entry], keys: deque[str], stdin: IO[bytes]) -> None:
    try:
        for key, value in entries:
            keys.append(key)
            if not _written(stdin, value + b"\n"):
                return
    finally:
        with contextlib.suppress(BrokenPipeError):
            stdin.close()


def _written(stdin: IO[bytes], line: bytes) -> bool:
    """False where the encoder has ended, which then says why."""
    try:
        stdin.write(line)
    except BrokenPipeError:
        return False
    return True
