"""The go.mod files say which versions the cluster is."""

import pytest

from pinnace.cluster import versions
from pinnace.errors import ClusterError

GO_MOD = """module example

go 1.26.0

require (
\tk8s.io/api v0.35.4 // indirect
\tk8s.io/kubernetes v1.35.4 // indirect
)

tool k8s.io/kubernetes/cmd/kube-apiserver

replace k8s.io/api => k8s.io/api v0.99.0
"""


@pytest.mark.parametrize(
    ("text", "module", "expected"),
    [
        (GO_MOD, "k8s.io/kubernetes", "v1.35.4"),
        (GO_MOD, "k8s.io/api", "v0.35.4"),
        ("require go.etcd.io/etcd/server/v3 v3.6.16\n", "go.etcd.io/etcd/server/v3", "v3.6.16"),
    ],
)
def test_required_version_is_the_one_of_require_and_not_of_replace(text: str, module: str, expected: str) -> None:
    assert versions.required_version(text, module=module) == expected


def test_a_module_that_is_not_required_is_an_error_naming_it() -> None:
    with pytest.raises(ClusterError, match=r"no version of k8s\.io/kube is required"):
        versions.required_version(GO_MOD, module="k8s.io/kube")


def test_the_checkout_names_both_versions_and_the_cache_folder_after_them() -> None:
    found = versions.read_versions(versions.modules_folder())
    assert found.folder_name == f"kubernetes-{found.kubernetes}_etcd-{found.etcd}"
    assert found.kubernetes.startswith("v1.")
    assert found.etcd.startswith("v3.")
