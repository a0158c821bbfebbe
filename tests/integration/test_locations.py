"""The Secrets that a BackupStorageLocation names are read by name, and a missing one is a sentence."""

import pytest

from integration.cluster_fixtures import TestedCluster
from integration.velero_kinds import make_namespace
from pinnace.dispatcher.locations import ca_certificate
from pinnace.errors import LocationError
from pinnace.kube.client import connect
from pinnace.kube.kinds import SECRETS
from pinnace.kube.objects import Objects

_NAMESPACE = "pinnace-locations"
_PEM = "-----BEGIN CERTIFICATE-----"


@pytest.fixture(scope="module")
def secrets(local_cluster: TestedCluster) -> Objects:
    make_namespace(local_cluster, _NAMESPACE)
    local_cluster.kubectl("create", "secret", "generic", "ca", f"--from-literal=ca.crt={_PEM}", "-n", _NAMESPACE)
    return Objects(connect(kubeconfig=local_cluster.kubeconfig), SECRETS, namespace=_NAMESPACE)


def _location(**reference: str) -> dict[str, object]:
    return {"metadata": {"name": "default"}, "spec": {"objectStorage": {"bucket": "b", "caCertRef": reference}}}


def test_the_certificate_that_a_location_names_is_read(secrets: Objects) -> None:
    assert ca_certificate(_location(name="ca", key="ca.crt"), secrets) == _PEM.encode()
    assert ca_certificate({"metadata": {"name": "default"}, "spec": {}}, secrets) == b""


@pytest.mark.parametrize(
    ("name", "key", "reason"),
    [("gone", "ca.crt", "Secret gone does not exist"), ("ca", "tls.crt", "Secret ca has no key tls.crt")],
)
def test_one_that_is_not_there_is_named(secrets: Objects, name: str, key: str, reason: str) -> None:
    with pytest.raises(LocationError) as raised:
        ca_certificate(_location(name=name, key=key), secrets)
    assert str(raised.value) == f"BackupStorageLocation default: {reason}"
