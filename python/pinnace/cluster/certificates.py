"""The local cluster's own CA, server and admin certificates and service-account key, made by the `openssl` program."""

import base64
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from pinnace.errors import ClusterError

__all__ = [
    "FIRST_SERVICE_IP",
    "SERVICE_IP_RANGE",
    "Certificates",
    "KeyPair",
    "ensure",
    "issue_client",
    "issue_server",
    "kubeconfig_text",
]

SERVICE_IP_RANGE: Final = "10.96.0.0/16"
FIRST_SERVICE_IP: Final = "10.96.0.1"
"""Address of the Service `kubernetes`: the server's certificate must name it."""

_VALID_DAYS: Final = "3650"
_SERVER_NAMES: Final = (
    "DNS:localhost",
    "DNS:kubernetes",
    "DNS:kubernetes.default",
    "DNS:kubernetes.default.svc",
    "IP:127.0.0.1",
    f"IP:{FIRST_SERVICE_IP}",
)


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key, both PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Certificates:
    """A folder of PEM files; whoever can read it is the cluster's admin, so its mode is 0700."""

    folder: Path

    @property
    def ca(self) -> Path:
        """Certificate of the CA that signs both others."""
        return self.folder / "ca.crt"

    def certificate(self, name: str) -> Path:
        """Certificate of `server` or `admin`."""
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        """Private key of `ca`, `server`, `admin` or `service-account`."""
        return self.folder / f"{name}.key"

    def pair(self, name: str) -> KeyPair:
        """Both files of `ca`, `server` or `admin`."""
        return KeyPair(certificate=self.certificate(name), key=self.key(name))


def ensure(folder: Path) -> Certificates:
    """Make the files unless all are there; made in a folder beside it and renamed, so that half a set never counts."""
    if not folder.is_dir():
        unfinished = folder.with_name(f".{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700, parents=True)
        _make_all(Certificates(folder=unfinished))
        unfinished.rename(folder)
    return Certificates(folder=folder)


def issue_server(authority: Certificates, *, folder: Path, name: str, common_name: str, address: str) -> KeyPair:
    """A certificate for a server at the IP `address`, signed by the CA, as `name`.crt and .key in `folder`."""
    extensions = ("extendedKeyUsage = serverAuth", f"subjectAltName = IP:{address}")
    return _certificate(authority, folder=folder, name=name, subject=f"CN = {common_name}", extensions=extensions)


def issue_client(authority: Certificates, *, folder: Path, name: str, common_name: str, organization: str) -> KeyPair:
    """A certificate for the user `common_name` of group `organization`, as `name`.crt and .key in `folder`."""
    subject = f"O = {organization}\nCN = {common_name}"
    extensions = ("extendedKeyUsage = clientAuth",)
    return _certificate(authority, folder=folder, name=name, subject=subject, extensions=extensions)


def kubeconfig_text(certificates: Certificates, *, server: str, context: str, client: KeyPair | None = None) -> str:
    """A kubeconfig with the certificates inside, so that the file can be copied elsewhere; `client` is the admin."""
    client = client or certificates.pair("admin")

    def embedded(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    user = {
        "client-certificate-data": embedded(client.certificate),
        "client-key-data": embedded(client.key),
    }
    cluster = {"server": server, "certificate-authority-data": embedded(certificates.ca)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": context, "user": user}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    }
    return yaml.safe_dump(document, sort_keys=False)


def _make_all(certificates: Certificates) -> None:
    folder = certificates.folder
    _openssl(["genrsa", "-out", str(certificates.key("service-account")), "2048"])
    _certificate(certificates, folder=folder, name="ca", subject="CN = pinnace-local-cluster", extensions=())
    names = ("extendedKeyUsage = serverAuth", f"subjectAltName = {', '.join(_SERVER_NAMES)}")
    _certificate(certificates, folder=folder, name="server", subject="CN = kube-apiserver", extensions=names)
    issue_client(certificates, folder=folder, name="admin", common_name="pinnace-admin", organization="system:masters")


def _certificate(
    authority: Certificates, *, folder: Path, name: str, subject: str, extensions: Sequence[str]
) -> KeyPair:
    """Key and certificate of `name`, signed by the CA, or by itself if it is the CA.

    The request has a config file of its own: openssl's default one would add `CA:TRUE` to everything.
    """
    is_authority = name == "ca"
    usage = ("CA:TRUE", "keyCertSign, cRLSign") if is_authority else ("CA:FALSE", "digitalSignature")
    config = folder / f"{name}.cnf"
    lines = [
        "[req]\nprompt = no\ndistinguished_name = subject\nx509_extensions = extensions",
        f"[subject]\n{subject}",
        f"[extensions]\nbasicConstraints = critical, {usage[0]}\nkeyUsage = critical, {usage[1]}",
        *extensions,
    ]
    config.write_text("\n".join(lines) + "\n")
    made = KeyPair(certificate=folder / f"{name}.crt", key=folder / f"{name}.key")
    signer = [] if is_authority else ["-CA", str(authority.ca), "-CAkey", str(authority.key("ca"))]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-keyout", str(made.key)]
    target = ["-days", _VALID_DAYS, "-out", str(made.certificate)]
    _openssl(["req", "-x509", "-config", str(config), *signer, *key, *target])
    return made


def _openssl(arguments: Sequence[str]) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        raise ClusterError("openssl: not found; install it (Debian: apt-get install openssl) to make certificates")
    done = subprocess.run([openssl, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"openssl {arguments[0]} failed (version 3.0 or later is needed): {done.stderr.strip()}")
