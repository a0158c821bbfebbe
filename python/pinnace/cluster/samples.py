"""Put the sample workloads on a local cluster: many kinds, awkward values, and one kind that takes several pages."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from pinnace.cluster import kubectl, synthetic, versions
from pinnace.cluster.local_cluster import LocalCluster
from pinnace.errors import ClusterError

__all__ = ["apply", "large_items"]

Report = Callable[[str], None]

_FIRST_FILES: Final = ("namespaces.yaml", "crds.yaml", "storage.yaml")
"""What other files need to be there: namespaces, custom resource definitions, classes."""

_LAST_FILES: Final = ("broken-api.yaml",)
"""The broken aggregated API comes last: after it, kubectl's discovery complains."""

_ACCOUNT_TIMEOUT_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.2
_LARGE_VALUE_BYTES: Final = 100_000


def apply(cluster: LocalCluster, *, report: Report = lambda _: None) -> None:
    """Apply k8s/cluster/samples and the made items; a second time changes nothing."""
    folder = versions.modules_folder() / "samples"
    rest = sorted(path.name for path in folder.glob("*.yaml") if path.name not in {*_FIRST_FILES, *_LAST_FILES})
    _apply_files(cluster, folder=folder, names=_FIRST_FILES)
    report("samples: namespaces, custom resource definitions and storage")
    _wait_for_crds(cluster)
    _wait_for_accounts(cluster)
    _apply_files(cluster, folder=folder, names=rest)
    _apply_documents(cluster, large_items())
    report(f"samples: {', '.join(name.removesuffix('.yaml') for name in rest)}")
    synthetic.load_samples(cluster, report=report)
    _apply_files(cluster, folder=folder, names=_LAST_FILES)


def large_items() -> list[dict[str, Any]]:
    """ConfigMaps of 100 kB: one long line, one of many lines, one of characters that JSON writers escape."""
    values = {
        "one-line": "x" * _LARGE_VALUE_BYTES,
        "many-lines": "".join(f"line {number}: <a href='?a=1&b=2'>\n" for number in range(_LARGE_VALUE_BYTES // 36)),
        "escapes": '"\\\t\u2028\u2029é漢😀<>&' * (_LARGE_VALUE_BYTES // 25),
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"large-{name}", "namespace": "awkward"},
            "data": {"value": value},
        }
        for name, value in values.items()
    ]


def _apply_files(cluster: LocalCluster, *, folder: Path, names: Sequence[str]) -> None:
    files = [f"--filename={folder / name}" for name in names]
    kubectl.run("apply", "--server-side", *files, kubeconfig=cluster.kubeconfig)


def _apply_documents(cluster: LocalCluster, documents: list[dict[str, Any]]) -> None:
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
    arguments = ("apply", "--server-side", "--filename=-")
    kubectl.run(*arguments, kubeconfig=cluster.kubeconfig, standard_input=listed)


def _wait_for_crds(cluster: LocalCluster) -> None:
    arguments = ("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    kubectl.run(*arguments, kubeconfig=cluster.kubeconfig)


def _wait_for_accounts(cluster: LocalCluster) -> None:
    """Until every namespace has its ServiceAccount `default`: before that, pods in it are refused.

    One that is being deleted may never have it again.
    """
    deadline = time.monotonic() + _ACCOUNT_TIMEOUT_SECONDS
    while without := _names(cluster, "namespaces") - _names(cluster, "serviceaccounts", ".metadata.namespace"):
        if time.monotonic() > deadline:
            raise ClusterError(
                f"no ServiceAccount default after {_ACCOUNT_TIMEOUT_SECONDS:.0f} s in: {sorted(without)}"
            )
        time.sleep(_POLL_SECONDS)


def _names(cluster: LocalCluster, plural: str, field: str = ".metadata.name") -> set[str]:
    if plural == "namespaces":
        chosen: tuple[str, ...] = ("--field-selector=status.phase=Active",)
    else:
        chosen = ("--all-namespaces", "--field-selector=metadata.name=default")
    template = f"--output=jsonpath={{range .items[*]}}{{{field}}}{{'\\n'}}{{end}}"
    return set(kubectl.run("get", plural, *chosen, template, kubeconfig=cluster.kubeconfig).split())
