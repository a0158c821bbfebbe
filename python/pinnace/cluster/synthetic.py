"""Items made by rule, for paging and for measuring: the same number always gives the same items."""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final

from pinnace.cluster import etcd_loader, kubectl
from pinnace.cluster.local_cluster import LocalCluster

__all__ = ["FLEET_ITEMS", "configmap", "controls", "fleet", "item", "load", "load_samples", "namespaces"]

Report = Callable[[str], None]

FLEET_ITEMS: Final = 5000
"""Small ConfigMaps of the namespace `fleet`: ten pages of 500."""

_NAMESPACES: Final = 20
_KINDS: Final = ("configmaps", "pods", "secrets")
_UID_SPACE: Final = uuid.UUID("5b0b8a4e-2f0e-4d0c-9d67-3f7f2a6a0c11")


def namespaces() -> tuple[dict[str, Any], ...]:
    """The namespaces over which `load` spreads its items."""
    names = [f"load-{index:02}" for index in range(_NAMESPACES)]
    return tuple({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names)


def fleet(*, created: str) -> Iterator[etcd_loader.Entry]:
    """5,000 small ConfigMaps of one namespace, so that a list of them takes several pages."""
    for index in range(FLEET_ITEMS):
        made = configmap(f"device-{index:05}", namespace="fleet", created=created)
        made["data"] = {"serial": f"{index * 7919 % 100003:06}", "site": f"berlin-{index % 12}", "enabled": "true"}
        yield _entry(made, plural="configmaps")


def controls() -> etcd_loader.Entry:
    """A ConfigMap with every control character; server-side apply refuses some of them, as it reads JSON as YAML."""
    made = configmap("controls", namespace="awkward", created="2026-01-02T03:04:05Z")
    made["data"] = {"c0": "".join(map(chr, range(0x20))), "c1": "".join(map(chr, range(0x7F, 0xA0)))}
    return _entry(made, plural="configmaps")


def load_samples(cluster: LocalCluster, *, report: Report) -> None:
    """Put the fleet and the control characters on a cluster; nothing is written again where all are there."""
    if etcd_loader.count(cluster.etcd, prefix="/registry/configmaps/awkward/controls") == 0:
        etcd_loader.load(cluster.etcd, entries=[controls()])
    if etcd_loader.count(cluster.etcd, prefix="/registry/configmaps/fleet/device-") == FLEET_ITEMS:
        return
    loaded = etcd_loader.load(cluster.etcd, entries=fleet(created=_now()))
    report(f"samples: {loaded} ConfigMaps in namespace fleet")


def load(cluster: LocalCluster, *, objects: int, object_bytes: int = 3500, report: Report = lambda _: None) -> int:
    """Put `objects` items of about `object_bytes` each on it: ConfigMaps, Pods and Secrets in 20 namespaces."""
    created = _now()
    documents = {"apiVersion": "v1", "kind": "List", "items": list(namespaces())}
    arguments = ("apply", "--server-side", "--filename=-")
    kubectl.run(*arguments, kubeconfig=cluster.kubeconfig, standard_input=json.dumps(documents))
    started = time.monotonic()
    entries = (item(index, object_bytes=object_bytes, created=created) for index in range(objects))
    loaded = etcd_loader.load(cluster.etcd, entries=entries)
    report(f"loaded {loaded} objects in {time.monotonic() - started:.0f} s")
    return loaded


def item(index: int, *, object_bytes: int, created: str) -> etcd_loader.Entry:
    """Item number `index`: its kind and namespace go round, its size is within a quarter of `object_bytes`."""
    plural = _KINDS[index % len(_KINDS)]
    namespace = f"load-{index // len(_KINDS) % _NAMESPACES:02}"
    make = {"configmaps": configmap, "pods": _pod, "secrets": _secret}[plural]
    made = make(f"{plural[:-1]}-{index:06}", namespace=namespace, created=created)
    wanted_bytes = object_bytes + object_bytes * (index * 37 % 49 - 24) // 100
    _fill(made, missing_bytes=wanted_bytes - len(_compact(made)), seed=str(index))
    return _entry(made, plural=plural)


def configmap(name: str, *, namespace: str, created: str) -> dict[str, Any]:
    """A ConfigMap as an operator's controller would have written it."""
    metadata = _metadata(name, kind="ConfigMap", namespace=namespace, created=created, fields={"f:data": {}})
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata, "data": {}}


def _secret(name: str, *, namespace: str, created: str) -> dict[str, Any]:
    metadata = _metadata(name, kind="Secret", namespace=namespace, created=created, fields={"f:data": {}, "f:type": {}})
    return {"kind": "Secret", "apiVersion": "v1", "metadata": metadata, "data": {}, "type": "Opaque"}


def _pod(name: str, *, namespace: str, created: str) -> dict[str, Any]:
    """A pending Pod of a scheduler that does not exist: no controller touches it, as it has neither owner nor node."""
    metadata = _metadata(
        name, kind="Pod", namespace=namespace, created=created, fields={"f:spec": {"f:containers": {}}}
    )
    container = {
        "name": "main",
        "image": "registry.example.com/shop/api:1.27.3",
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [],
        "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }
    spec = {
        "containers": [container],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "serviceAccount": "default",
        "securityContext": {},
        "schedulerName": "nobody",
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }
    status = {"phase": "Pending", "qosClass": "Burstable"}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec, "status": status}


def _metadata(name: str, *, kind: str, namespace: str, created: str, fields: dict[str, Any]) -> dict[str, Any]:
    managed = {
        "manager": "helm",
        "operation": "Update",
        "apiVersion": "v1",
        "time": created,
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:annotations": {".": {}}, "f:labels": {".": {}}}, **fields},
    }
    return {
        "name": name,
        "namespace": namespace,
        "uid": str(uuid.uuid5(_UID_SPACE, f"{kind}/{namespace}/{name}")),
        "creationTimestamp": created,
        "labels": {"app.kubernetes.io/name": "api", "app.kubernetes.io/instance": name, "tier": "backend"},
        "annotations": {"meta.helm.sh/release-name": namespace, "example.com/config-hash": _digest(name)},
        "managedFields": [managed],
    }


def _fill(made: dict[str, Any], *, missing_bytes: int, seed: str) -> None:
    """Add values of `missing_bytes`: lines of settings, which compress about as well as real ones do."""
    line_count = max(0, missing_bytes) // 48 + 1
    lines = [f"service.{number:03}.endpoint=https://{_digest(seed + str(number))[:20]}" for number in range(line_count)]
    text = "\n".join(lines)[: max(0, missing_bytes)]
    if made["kind"] == "Pod":
        made["spec"]["containers"][0]["env"] = [{"name": "SETTINGS", "value": text}]
    elif made["kind"] == "Secret":
        made["data"] = {"settings": base64.b64encode(text.encode()[: len(text) * 3 // 4]).decode()}
    else:
        made["data"] = {"settings": text}


def _digest(seed: str) -> str:
    return hashlib.sha256(seed.encode()).hexdigest()


def _entry(made: dict[str, Any], *, plural: str) -> etcd_loader.Entry:
    return etcd_loader.registry_key(made, plural=plural), _compact(made)


def _compact(made: dict[str, Any]) -> bytes:
    return json.dumps(made, separators=(",", ":")).encode()


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
