"""The command lines of the four programs, as pure functions of folders and ports."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pinnace.cluster import versions
from pinnace.cluster.binaries import Binaries
from pinnace.cluster.certificates import SERVICE_IP_RANGE, Certificates

__all__ = ["Layout", "Ports", "apiserver_command", "controller_manager_command", "etcd_command", "scheduler_command"]


@dataclass(frozen=True)
class Layout:
    """Every path inside a cluster's folder; `down` removes these and nothing else."""

    folder: Path

    @property
    def state(self) -> Path:
        """Which processes are ours."""
        return self.folder / "state.json"

    @property
    def lock(self) -> Path:
        """Held while `up` or `down` runs."""
        return self.folder / ".lock"

    @property
    def kubeconfig(self) -> Path:
        """Admin access."""
        return self.folder / "kubeconfig"

    @property
    def certificates(self) -> Path:
        """CA, certificates, keys."""
        return self.folder / "certificates"

    @property
    def etcd(self) -> Path:
        """etcd's files: every item of the cluster."""
        return self.folder / "etcd"

    @property
    def nodes(self) -> Path:
        """A folder per node: configuration, images, containers, volumes."""
        return self.folder / "nodes"

    @property
    def node_script(self) -> Path:
        """What makes a node's mount namespace."""
        return versions.modules_folder() / "node" / "namespace.sh"

    @property
    def logs(self) -> Path:
        """One file per program."""
        return self.folder / "logs"


@dataclass(frozen=True)
class Ports:
    """The loopback ports of one start."""

    etcd: int
    etcd_peer: int
    apiserver: int

    @property
    def server_url(self) -> str:
        """Where the apiserver listens."""
        return f"https://127.0.0.1:{self.apiserver}"

    @property
    def etcd_url(self) -> str:
        """Where etcd listens for clients."""
        return f"http://127.0.0.1:{self.etcd}"


def etcd_command(binaries: Binaries, *, layout: Layout, ports: Ports) -> list[str]:
    """One member without fsync: the cluster is thrown away, and fsync is what a small machine waits for most."""
    peer_url = f"http://127.0.0.1:{ports.etcd_peer}"
    return [
        str(binaries.path("etcd")),
        f"--data-dir={layout.etcd}",
        f"--listen-client-urls={ports.etcd_url}",
        f"--advertise-client-urls={ports.etcd_url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=default={peer_url}",
        "--unsafe-no-fsync",
        "--quota-backend-bytes=8589934592",
        "--log-level=warn",
    ]


def apiserver_command(
    binaries: Binaries, *, layout: Layout, ports: Ports, certificates: Certificates, extra_flags: Sequence[str]
) -> list[str]:
    """The apiserver on loopback only; `extra_flags` come last, where they win."""
    return [
        str(binaries.path("kube-apiserver")),
        f"--etcd-servers={ports.etcd_url}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={ports.apiserver}",
        f"--tls-cert-file={certificates.certificate('server')}",
        f"--tls-private-key-file={certificates.key('server')}",
        f"--client-ca-file={certificates.ca}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-certificate-authority={certificates.ca}",
        f"--kubelet-client-certificate={certificates.certificate('admin')}",
        f"--kubelet-client-key={certificates.key('admin')}",
        f"--service-account-key-file={certificates.key('service-account')}",
        f"--service-account-signing-key-file={certificates.key('service-account')}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-cluster-ip-range={SERVICE_IP_RANGE}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged",
        # No Endpoints of the Service `kubernetes` are written: a node sends its pods here by a rule of its own.
        "--endpoint-reconciler-type=none",
        # Loading samples sends many writes at once; the defaults (400/200) would answer 429.
        "--max-requests-inflight=2000",
        "--max-mutating-requests-inflight=1000",
        f"--cert-dir={layout.certificates}",
        *extra_flags,
    ]


def controller_manager_command(binaries: Binaries, *, layout: Layout, certificates: Certificates) -> list[str]:
    """The controllers, with no port of their own."""
    return [
        str(binaries.path("kube-controller-manager")),
        f"--kubeconfig={layout.kubeconfig}",
        f"--service-account-private-key-file={certificates.key('service-account')}",
        f"--root-ca-file={certificates.ca}",
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def scheduler_command(binaries: Binaries, *, layout: Layout) -> list[str]:
    """The scheduler, with no port of its own; without a node, pods stay Pending with its event."""
    return [
        str(binaries.path("kube-scheduler")),
        f"--kubeconfig={layout.kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
    ]
