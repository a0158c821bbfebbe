"""A real SeaweedFS process: an S3 server that can be killed and started again over the same folder."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from pinnace.cluster import certificates
from pinnace.cluster.ports import free_ports

__all__ = ["ACCESS_KEY", "LACKING", "READER", "SECRET_KEY", "SeaweedServer"]

ACCESS_KEY = "pinnace"
SECRET_KEY = "pinnace-secret"
READER = "reader"
"""Access key, and secret, of an identity that may only read and list."""

_RIGHTS = ("s3:ListBucket", "s3:PutObject", "s3:GetObject", "s3:DeleteObject")
"""Those that this server asks policies for; the rights over uploads come with s3:PutObject here."""

LACKING = {right: f"lacks-{right.partition(':')[2]}" for right in _RIGHTS}
"""Access key, and secret, of an identity that has all rights but one, by this right."""

_START_SECONDS = 60.0
_POLL_SECONDS = 0.05
_PORTS = (
    "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
    "s3.port", "s3.port.grpc", "s3.port.https",
)  # fmt: skip
_SOCKETS = ("filer", "filer-grpc", "master-grpc", "s3", "s3-grpc", "volume-grpc")


class SeaweedServer:
    """Master, volume server, filer and S3 gateway (HTTP and HTTPS) in one process on free ports of one address."""

    def __init__(self, folder: Path, *, address: str = "127.0.0.1") -> None:
        self._address = address
        self._folder = folder
        self._ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        self._certificates = certificates.ensure(folder / "certificates")
        self._process: subprocess.Popen[bytes] | None = None
        identities = [
            _identity("pinnace", ACCESS_KEY, SECRET_KEY, ["Admin", "Read", "Write", "List", "Tagging"]),
            _identity("reader", READER, READER, ["Read", "List"]),
        ]
        configuration = {
            "identities": [*identities, *(_identity(name, name, name, [], name) for name in LACKING.values())],
            "policies": [{"name": name, "content": _policy_without(right)} for right, name in LACKING.items()],
        }
        (folder / "identities.json").write_text(json.dumps(configuration))
        (folder / "data").mkdir(exist_ok=True)

    @property
    def port(self) -> int:
        """The S3 gateway's, without TLS."""
        return self._ports["s3.port"]

    @property
    def url(self) -> str:
        """The S3 gateway."""
        return f"http://{self._address}:{self.port}"

    @property
    def https_url(self) -> str:
        """The same, with a certificate of `ca_file`."""
        return f"https://{self._address}:{self._ports['s3.port.https']}"

    @property
    def ca_file(self) -> Path:
        """What a client must trust."""
        return self._certificates.ca

    def store_url(self, bucket: str, prefix: str = "", **options: str) -> str:
        """What `--store` takes; `options` add to those of the server or replace them."""
        given = {"s3Url": self.url, "s3ForcePathStyle": "true", "region": "us-east-1"} | options
        return f"s3://{bucket}/{prefix}?{urlencode(given)}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        program = shutil.which("weed", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
        assert program is not None, "weed is not in the environment: uv sync"
        with (self._folder / "weed.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "server", *(f"-{name}={value}" for name, value in self._options().items())],
                stdout=log,
                stderr=log,
                # One volume for each bucket instead of seven: the first write into one is quick, and 200 last long.
                env=os.environ | {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
            )
        try:
            self._wait()
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None
            # It leaves them in /tmp, wherever its data are.
            for kind, port in itertools.product(_SOCKETS, self._ports.values()):
                Path("/tmp", f"seaweedfs-{kind}-{port}.sock").unlink(missing_ok=True)

    def _options(self) -> Mapping[str, object]:
        return self._ports | {
            "dir": self._folder / "data",
            "ip": self._address,
            "ip.bind": self._address,
            "master.telemetry": "false",
            # A single master needs no peers: without these a restart waits 20 s for an election.
            "master.electionTimeout": "1s",
            "master.resumeState": "false",
            "master.volumeSizeLimitMB": 256,
            "volume.max": 200,
            "filer": "true",
            "s3": "true",
            "s3.config": self._folder / "identities.json",
            "s3.autoCreateBucket": "false",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.cert.file": self._certificates.certificate("server"),
            "s3.key.file": self._certificates.key("server"),
        }

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                urllib.request.urlopen(self.url, timeout=2).close()
            except urllib.error.HTTPError:
                if self._has_volume_server():
                    return
            except OSError:
                pass
            time.sleep(_POLL_SECONDS)
        raise AssertionError((self._folder / "weed.log").read_text()[-2000:])

    def _has_volume_server(self) -> bool:
        try:
            with urllib.request.urlopen(
                f"http://{self._address}:{self._ports['master.port']}/dir/assign", timeout=2
            ) as answer:
                return "fid" in json.load(answer)
        except (OSError, ValueError):
            return False


def _identity(name: str, access_key: str, secret_key: str, actions: list[str], *policies: str) -> dict[str, object]:
    key = {"accessKey": access_key, "secretKey": secret_key}
    return {"name": name, "credentials": [key], "actions": actions, "policyNames": policies}


def _policy_without(right: str) -> str:
    allowed = [each for each in _RIGHTS if each != right]
    statement = {"Effect": "Allow", "Action": allowed, "Resource": ["arn:aws:s3:::*"]}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
