"""The image that holds a pod's namespaces open, made of one static program without any image tool or registry."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Final

from pinnace.cluster.node_config import PAUSE_IMAGE

__all__ = ["archive"]

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def archive(program: Path, *, machine: str) -> bytes:
    """A docker archive of `program` alone (about 1.5 MB); `machine` as `platform.machine()` says it."""
    layer = _tar({"pause": program.read_bytes()}, mode=0o755)
    config = {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [PAUSE_IMAGE], "Layers": ["layer.tar"]}]
    documents = {"config.json": json.dumps(config).encode(), "manifest.json": json.dumps(manifest).encode()}
    return _tar({**documents, "layer.tar": layer}, mode=0o644)


def _tar(files: dict[str, bytes], *, mode: int) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for name, body in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(body), mode
            tar.addfile(entry, io.BytesIO(body))
    return written.getvalue()
