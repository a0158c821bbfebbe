"""Which Kubernetes and etcd the local cluster is: the go.mod files of k8s/cluster are the one place that says it."""

import re
from dataclasses import dataclass
from pathlib import Path

from pinnace.errors import ClusterError

__all__ = ["ClusterVersions", "modules_folder", "read_versions", "required_version"]


@dataclass(frozen=True)
class ClusterVersions:
    """The versions as Go modules spell them (`v1.35.4`)."""

    kubernetes: str
    etcd: str

    @property
    def folder_name(self) -> str:
        """Name of the cache folder, so that another version never finds this one's binaries."""
        return f"kubernetes-{self.kubernetes}_etcd-{self.etcd}"


def modules_folder() -> Path:
    """`k8s/cluster` of the checkout; ClusterError in an installed wheel, which has no such folder."""
    folder = Path(__file__).resolve().parents[3] / "k8s" / "cluster"
    if not (folder / "kubernetes" / "go.mod").is_file():
        raise ClusterError(
            f"{folder}: no go.mod files; the local cluster needs a checkout of pinnace, not only the wheel"
        )
    return folder


def required_version(go_mod: str, *, module: str) -> str:
    """The version that the text of a go.mod requires of `module`, never one named by a `replace`."""
    found = re.search(rf"^(?:require)?\s+{re.escape(module)}\s+(v\S+)(?:\s+//.*)?$", go_mod, flags=re.MULTILINE)
    if found is None:
        raise ClusterError(f"go.mod: no version of {module} is required; run `go mod tidy` beside it")
    return found.group(1)


def read_versions(modules: Path) -> ClusterVersions:
    """Read both versions from the go.mod files under `modules`."""
    return ClusterVersions(
        kubernetes=required_version((modules / "kubernetes" / "go.mod").read_text(), module="k8s.io/kubernetes"),
        etcd=required_version((modules / "etcd" / "go.mod").read_text(), module="go.etcd.io/etcd/server/v3"),
    )
