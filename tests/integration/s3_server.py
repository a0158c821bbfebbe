"""A real SeaweedFS process: an S3 server that can be killed and started again over the same folder."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from pinnace.cluster.ports import free_ports

__all__ = ["ACCESS_KEY", "SECRET_KEY", "SeaweedServer"]

ACCESS_KEY = "pinnace"
SECRET_KEY = "pinnace-secret"
_START_SECONDS = 60.0


class SeaweedServer:
    """Master, volume server, filer and S3 gateway in one process on free ports of one address of this machine."""

    def __init__(self, folder: Path, *, address: str = "127.0.0.1") -> None:
        self._folder = folder
        self._address = address
        self._master, self._volume, self._filer, self._s3 = free_ports(4)
        self._process: subprocess.Popen[bytes] | None = None
        identity = {
            "name": "pinnace",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (folder / "identities.json").write_text(json.dumps({"identities": [identity]}))
        (folder / "data").mkdir(exist_ok=True)

    @property
    def url(self) -> str:
        """The S3 gateway."""
        return f"http://{self._address}:{self._s3}"

    def store_url(self, bucket: str, prefix: str = "") -> str:
        """What `--store` takes."""
        return f"s3://{bucket}/{prefix}?s3Url={self.url}&s3ForcePathStyle=true&region=us-east-1"

    def start(self) -> None:
        """Start, and wait until it answers."""
        program = shutil.which("weed")
        assert program is not None, "weed is not in the environment: uv sync"
        with (self._folder / "weed.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    program, "server", f"-dir={self._folder / 'data'}", f"-ip={self._address}",
                    f"-ip.bind={self._address}",
                    f"-master.port={self._master}", f"-volume.port={self._volume}", f"-filer.port={self._filer}",
                    f"-master.port.grpc={free_ports(1)[0]}", f"-volume.port.grpc={free_ports(1)[0]}",
                    f"-filer.port.grpc={free_ports(1)[0]}", f"-s3.port.grpc={free_ports(1)[0]}", "-s3.port.iceberg=0",
                    "-s3.port.lance=0", "-volume.max=200",
                    "-master.volumeSizeLimitMB=256", "-filer", "-s3", f"-s3.port={self._s3}",
                    f"-s3.config={self._folder / 'identities.json'}",
                ],
                stdout=log,
                stderr=log,
            )  # fmt: skip
        self._wait()

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                urllib.request.urlopen(self.url, timeout=2).close()
            except urllib.error.HTTPError:
                if self._has_volume_server():
                    return
            except OSError:
                pass
            time.sleep(0.2)
        raise AssertionError((self._folder / "weed.log").read_text()[-2000:])

    def _has_volume_server(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self._address}:{self._master}/dir/assign", timeout=2) as answer:
                return "fid" in json.load(answer)
        except (OSError, ValueError):
            return False
