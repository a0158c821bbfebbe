"""The examples, as the API server takes them: every field known, every object admitted."""

from pathlib import Path

import pytest
import yaml

from integration.cluster_fixtures import TestedCluster
from integration.velero_kinds import apply_crds, make_namespace

_EXAMPLES = Path(__file__).parents[2] / "k8s" / "examples"


@pytest.fixture(scope="module")
def cluster(local_cluster: TestedCluster) -> TestedCluster:
    """With the kinds and the namespaces, without which a dry run has nowhere to put things."""
    apply_crds(local_cluster)
    for namespace in ("velero", "seaweedfs"):
        make_namespace(local_cluster, namespace)
        local_cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    return local_cluster


@pytest.mark.parametrize("example", sorted(path.name for path in _EXAMPLES.iterdir()))
def test_the_server_takes_it(cluster: TestedCluster, example: str) -> None:
    dry = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts")
    wanted = cluster.kubectl("kustomize", str(_EXAMPLES / example)).count("\nkind: ")
    assert cluster.kubectl(*dry, "-k", str(_EXAMPLES / example)).count("serverside-applied") == wanted
    first = cluster.kubectl(*dry, "-f", str(_EXAMPLES / example / "first-backup.yaml"))
    assert first == "backup.velero.io/first serverside-applied (server dry run)\n"


@pytest.mark.parametrize("example", sorted(path.name for path in _EXAMPLES.iterdir()))
def test_its_pods_keep_to_restricted_pod_security(cluster: TestedCluster, example: str) -> None:
    """Pods of the templates, made directly: a Deployment's are only warned about."""
    for document in yaml.safe_load_all(cluster.kubectl("kustomize", str(_EXAMPLES / example))):
        if (template := document.get("spec", {}).get("template")) is None:
            continue
        spec = template["spec"] | {"serviceAccountName": "default"}
        claims = [claim["metadata"]["name"] for claim in document["spec"].get("volumeClaimTemplates", [])]
        spec.setdefault("volumes", []).extend({"name": name, "emptyDir": {}} for name in claims)
        metadata = {"name": "restricted", "namespace": document["metadata"]["namespace"]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        created = cluster.kubectl("create", "--dry-run=server", "-f-", standard_input=yaml.safe_dump(pod))
        assert created == "pod/restricted created (server dry run)\n"
