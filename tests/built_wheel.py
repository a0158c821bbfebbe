"""The wheel of this checkout, built once though several processes ask for it."""

import fcntl
import platform
import subprocess
from pathlib import Path

from pinnace.cluster import folders

__all__ = ["built_wheel"]

_ROOT = Path(__file__).resolve().parents[1]


def built_wheel() -> Path:
    """The file in dist/; cargo builds only what has changed."""
    cache = folders.cache_folder().parent
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "wheel.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run([str(_ROOT / "just"), "wheel"], cwd=_ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"just wheel: {(done.stdout + done.stderr)[-4000:]}"
        (wheel,) = (_ROOT / "dist").glob(f"pinnace-*-cp311-abi3-manylinux_2_28_{platform.machine()}.whl")
        return wheel
