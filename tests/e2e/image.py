"""Builds the image that pods run, by the Dockerfile that users build, on a base that needs no registry."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from built_wheel import built_wheel
from pinnace.cluster import folders

__all__ = ["IMAGE", "archive", "missing_tools"]

IMAGE: Final = "localhost/pinnace:test"

_ROOT: Final = Path(__file__).resolve().parents[2]
_DOCKERFILE: Final = _ROOT / "k8s" / "image" / "Dockerfile"
_SOURCES: Final = (
    "rust",
    "python",
    "k8s/image",
    "k8s/crds",
    "k8s/base",
    "Cargo.toml",
    "Cargo.lock",
    "pyproject.toml",
    "uv.lock",
)
_NOT_SOURCES: Final = {"__pycache__", "target"}
_DEBOOTSTRAP: Final = ("--variant=minbase", "--include=python3,python3-venv,ca-certificates", "bookworm")
_BASE: Final = "localhost/pinnace-base:test"
_CA_BUNDLE: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_MOST_STORED_BYTES: Final = 6 << 30
_KEPT: Final = 3
"""Built images of 290 MB that stay in the cache, so that going back a commit does not build again."""


def missing_tools() -> list[str]:
    """Programs that are needed to build the image and are not there."""
    return [name for name in ("buildah", "debootstrap") if shutil.which(name) is None]


def archive() -> Path:
    """A docker archive of the image of these sources; built (1 to 2 minutes) unless the cache has it."""
    cache = folders.cache_folder().with_name("images")
    cache.mkdir(parents=True, exist_ok=True)
    base = _base(cache)
    built = cache / f"pinnace-{_key([*_source_files(), base.name])}.tar"
    if not built.exists():
        print(f"building {built}")
        built_wheel()
        with _storage(cache) as buildah:
            _build(buildah, base=base, built=built)
        _remove_old(cache)
    return built


def _base(cache: Path) -> Path:
    """A tar of Debian with Python, as BASE is; made once (about 40 s) for these options of debootstrap."""
    made = cache / f"base-{_key(_DEBOOTSTRAP)}.tar"
    if not made.exists():
        print(f"building {made}")
        with _folder_in(cache) as folder:
            root, unfinished = folder / "root", folder / "base.tar"
            _run(["debootstrap", *_DEBOOTSTRAP, str(root)])
            left_out = ["--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*", "--exclude=./dev/*"]
            _run(["tar", "--create", f"--file={unfinished}", f"--directory={root}", *left_out, "."])
            unfinished.rename(made)
    return made


def _build(buildah: list[str], *, base: Path, built: Path) -> None:
    """The Dockerfile with a wheel from dist/; what is fetched goes through the CA bundle of this machine."""
    with _folder_in(base.parent) as folder:
        (folder / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n")
        os.link(base, folder / "base.tar")
        _run([*buildah, "bud", "--quiet", "--layers", "--timestamp=0", f"--tag={_BASE}", str(folder)])
        arguments = [f"--build-arg=BASE={_BASE}", f"--build-arg=BUILD_BASE={_BASE}", "--build-arg=WHEEL=given"]
        secrets = [f"--secret=id=ca,src={_CA_BUNDLE}"] if _CA_BUNDLE.exists() else []
        command = [*buildah, "bud", "--quiet", "--layers", "--timestamp=0", f"--file={_DOCKERFILE}", f"--tag={IMAGE}"]
        _run([*command, *arguments, *secrets, str(_ROOT)])
        unfinished = folder / "image.tar"
        _run([*buildah, "push", "--quiet", IMAGE, f"docker-archive:{unfinished}:{IMAGE}"])
        unfinished.rename(built)


@contextmanager
def _storage(cache: Path) -> Iterator[list[str]]:
    """Buildah with a storage of its own: the machine's own images are left alone.

    It stays for the layers of the next build, until it is large. In a mount namespace of its own, since it leaves
    mounts of its stages; `vfs` needs no driver in the kernel.
    """
    storage = cache / "storage"
    if sum(path.lstat().st_size for path in storage.rglob("*")) > _MOST_STORED_BYTES:
        shutil.rmtree(storage)
    with _folder_in(cache) as folder:
        options = [f"--root={storage}", f"--runroot={folder / 'run'}", "--storage-driver=vfs"]
        yield ["unshare", "--mount", "buildah", *options]


@contextmanager
def _folder_in(cache: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=".building-", dir=cache))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_old(cache: Path) -> None:
    by_age = sorted(cache.glob("pinnace-*.tar"), key=lambda path: path.stat().st_mtime)
    for path in by_age[:-_KEPT]:
        path.unlink()


def _source_files() -> Iterator[bytes]:
    """Names and contents of all that the image is made of, in a fixed order."""
    for source in _SOURCES:
        path = _ROOT / source
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and file.suffix != ".so" and not _NOT_SOURCES & set(file.parts):
                yield str(file.relative_to(_ROOT)).encode()
                yield file.read_bytes()


def _key(parts: Iterable[str | bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        body = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(body)}:".encode() + body)
    return digest.hexdigest()[:16]


def _run(command: list[str]) -> None:
    environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}  # needs no container engine
    done = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {(done.stdout + done.stderr)[-4000:]}"


if __name__ == "__main__" and not missing_tools():
    archive()
