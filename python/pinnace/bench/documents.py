"""The documents of `pinnace bench load`: kinds that no controller changes, as an operator would find them.

What has no node, no owner and no selector is left alone by the controllers of a real cluster: a Pod of a scheduler that
does not exist, a ReplicaSet of no replicas, a Job that is complete, a Service without selector.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Names", "configmap", "endpoint_slice", "job", "network_policy", "pod", "replica_set", "role",
           "role_binding", "secret", "service", "service_account", "widget"]  # fmt: skip

_FIELDS_OF_METADATA: dict[str, Any] = {
    "f:annotations": {".": {}, "f:example.com/config-hash": {}, "f:meta.helm.sh/release-name": {}},
    "f:labels": {".": {}, "f:app.kubernetes.io/instance": {}, "f:app.kubernetes.io/name": {}, "f:team": {}},
}
_FIELDS_OF_TEMPLATE: dict[str, Any] = {
    "f:spec": {
        "f:containers": {
            'k:{"name":"main"}': {
                ".": {}, "f:env": {".": {}, 'k:{"name":"SETTINGS"}': {".": {}, "f:name": {}, "f:value": {}}},
                "f:image": {}, "f:imagePullPolicy": {}, "f:livenessProbe": {".": {}, "f:failureThreshold": {},
                "f:httpGet": {".": {}, "f:path": {}, "f:port": {}, "f:scheme": {}}, "f:periodSeconds": {}},
                "f:name": {}, "f:ports": {".": {}, 'k:{"containerPort":8080,"protocol":"TCP"}': {".": {},
                "f:containerPort": {}, "f:name": {}, "f:protocol": {}}}, "f:resources": {".": {}, "f:limits": {
                ".": {}, "f:memory": {}}, "f:requests": {".": {}, "f:cpu": {}, "f:memory": {}}},
                "f:terminationMessagePath": {}, "f:terminationMessagePolicy": {},
            }
        },
        "f:dnsPolicy": {}, "f:enableServiceLinks": {}, "f:restartPolicy": {}, "f:schedulerName": {},
        "f:securityContext": {}, "f:terminationGracePeriodSeconds": {},
    }
}  # fmt: skip


@dataclass(frozen=True)
class Names:
    """What tells one item from another; `created` is "" where the API server sets it, and `uid` with it."""

    name: str
    namespace: str
    app: str
    team: str
    digest: str
    uid: str = ""
    created: str = ""


def _metadata(names: Names, *, api_version: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": names.name,
        "namespace": names.namespace,
        "labels": {"app.kubernetes.io/name": names.app, "app.kubernetes.io/instance": names.name, "team": names.team},
        "annotations": {"meta.helm.sh/release-name": names.app, "example.com/config-hash": names.digest},
    }
    if names.created:
        managed = {
            "manager": "helm",
            "operation": "Update",
            "apiVersion": api_version,
            "time": names.created,
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": _FIELDS_OF_METADATA, **fields},
        }
        metadata |= {"uid": names.uid, "creationTimestamp": names.created, "managedFields": [managed]}
    return metadata


def _document(names: Names, api_version: str, kind: str, fields: Mapping[str, Any], **rest: Any) -> dict[str, Any]:
    metadata = _metadata(names, api_version=api_version, fields=fields)
    return {"kind": kind, "apiVersion": api_version, "metadata": metadata, **rest}


def pod(names: Names, text: str) -> dict[str, Any]:
    """A Pod that waits for a scheduler that does not exist."""
    spec = {
        **_pod_spec(names, text),
        "schedulerName": "nobody",
        "priority": 0,
        "preemptionPolicy": "PreemptLowerPriority",
    }
    status = {"phase": "Pending", "qosClass": "Burstable"}
    return _document(names, "v1", "Pod", _FIELDS_OF_TEMPLATE, spec=spec, status=status)


def replica_set(names: Names, text: str) -> dict[str, Any]:
    """A ReplicaSet of an old rollout: most of those that a cluster has are of no replicas."""
    labels = {"app.kubernetes.io/instance": names.name}
    template = {"metadata": {"labels": labels}, "spec": _pod_spec(names, text)}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    metadata_fields = {"f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": _FIELDS_OF_TEMPLATE}}
    made = _document(names, "apps/v1", "ReplicaSet", metadata_fields, spec=spec)
    # Written as the controller would write them, so that it finds nothing to do.
    made["metadata"]["generation"] = 1
    made["status"] = {"replicas": 0, "observedGeneration": 1, "terminatingReplicas": 0}
    return made


def job(names: Names, text: str) -> dict[str, Any]:
    """A Job that is complete; where the API server drops the status, it stays suspended."""
    labels = {"batch.kubernetes.io/job-name": names.name}
    template = {"metadata": {"labels": labels}, "spec": {**_pod_spec(names, text), "restartPolicy": "Never"}}
    spec = {"parallelism": 1, "completions": 1, "backoffLimit": 6, "suspend": True, "template": template}
    made = _document(names, "batch/v1", "Job", {"f:spec": {"f:template": _FIELDS_OF_TEMPLATE}}, spec=spec)
    if names.created:
        spec |= {"selector": {"matchLabels": labels}, "completionMode": "NonIndexed", "podReplacementPolicy": "Failed"}
        times = {"lastProbeTime": names.created, "lastTransitionTime": names.created}
        conditions = [{"type": kind, "status": "True", **times} for kind in ("SuccessCriteriaMet", "Complete")]
        made["status"] = {"conditions": conditions, "succeeded": 1, "startTime": names.created,
                          "completionTime": names.created, "uncountedTerminatedPods": {}}  # fmt: skip
    return made


def configmap(names: Names, text: str) -> dict[str, Any]:
    """A file of settings."""
    return _document(names, "v1", "ConfigMap", {"f:data": {"f:settings.conf": {}}}, data={"settings.conf": text})


def secret(names: Names, text: str) -> dict[str, Any]:
    """The same, encoded as Secrets are."""
    encoded = base64.b64encode(text[: len(text) * 3 // 4].encode()).decode()
    fields: dict[str, Any] = {"f:data": {"f:settings.conf": {}}, "f:type": {}}
    return _document(names, "v1", "Secret", fields, data={"settings.conf": encoded}, type="Opaque")


def service(names: Names, text: str) -> dict[str, Any]:
    """A headless Service without selector, which takes no address and gets no EndpointSlice."""
    port = {"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}
    spec = {"ports": [port], "clusterIP": "None", "type": "ClusterIP", "sessionAffinity": "None"}
    if names.created:
        spec |= {"clusterIPs": ["None"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
                 "internalTrafficPolicy": "Cluster"}  # fmt: skip
    made = _document(names, "v1", "Service", {"f:spec": {"f:ports": {}, "f:type": {}}}, spec=spec)
    return _annotated(made, text) | {"status": {"loadBalancer": {}}}


def endpoint_slice(names: Names, text: str) -> dict[str, Any]:
    """The addresses behind a Service, kept by nobody; as many as fill the size."""
    count = min(len(text) // 180 + 1, 100)
    endpoints = [_endpoint(names, number) for number in range(count)]
    ports = [{"name": "http", "port": 8080, "protocol": "TCP"}]
    fields: dict[str, Any] = {"f:addressType": {}, "f:endpoints": {}, "f:ports": {}}
    made = _document(names, "discovery.k8s.io/v1", "EndpointSlice", fields, addressType="IPv4", ports=ports)
    made["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] = "bench"
    return made | {"endpoints": endpoints}


def service_account(names: Names, text: str) -> dict[str, Any]:
    """An account of one app."""
    return _annotated(_document(names, "v1", "ServiceAccount", {}), text)


def role(names: Names, text: str) -> dict[str, Any]:
    """Rights of one app."""
    rules = [{"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["get", "list", "watch"]}]
    made = _document(names, "rbac.authorization.k8s.io/v1", "Role", {"f:rules": {}}, rules=rules)
    return _annotated(made, text)


def role_binding(names: Names, text: str) -> dict[str, Any]:
    """The rights given to its account."""
    subjects = [{"kind": "ServiceAccount", "name": names.name, "namespace": names.namespace}]
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": names.name}
    fields: dict[str, Any] = {"f:roleRef": {}, "f:subjects": {}}
    made = _document(names, "rbac.authorization.k8s.io/v1", "RoleBinding", fields, subjects=subjects, roleRef=reference)
    return _annotated(made, text)


def network_policy(names: Names, text: str) -> dict[str, Any]:
    """Who may reach an app."""
    selector = {"matchLabels": {"app.kubernetes.io/instance": names.name}}
    sources = [{"from": [{"namespaceSelector": {"matchLabels": {"team": names.team}}}]}]
    spec = {"podSelector": selector, "policyTypes": ["Ingress"], "ingress": sources}
    made = _document(names, "networking.k8s.io/v1", "NetworkPolicy", {"f:spec": {"f:ingress": {}}}, spec=spec)
    return _annotated(made, text)


def widget(names: Names, text: str) -> dict[str, Any]:
    """A custom resource, whose lists name their continue token last."""
    spec = {"settings": text.split("\n"), "replicas": 2}
    made = _document(
        names, "bench.pinnace.io/v1", "Widget", {"f:spec": {"f:replicas": {}, "f:settings": {}}}, spec=spec
    )
    made["metadata"]["generation"] = 1
    return made


def _annotated(made: dict[str, Any], text: str) -> dict[str, Any]:
    if text:
        made["metadata"]["annotations"]["example.com/settings"] = text
    return made


def _endpoint(names: Names, number: int) -> dict[str, Any]:
    target = {"kind": "Pod", "name": f"{names.name}-{number}", "namespace": names.namespace}
    address = f"10.{int(names.digest[:2], 16)}.{int(names.digest[2:4], 16)}.{number}"
    return {"addresses": [address], "conditions": {"ready": True, "serving": True}, "targetRef": target}


def _pod_spec(names: Names, text: str) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": f"registry.example.com/{names.team}/{names.app}:1.{len(text) % 40}.{len(names.name) % 9}",
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": "SETTINGS", "value": text}],
        "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"},
            "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }  # fmt: skip
    return {
        "containers": [container],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "serviceAccount": "default",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
    }
