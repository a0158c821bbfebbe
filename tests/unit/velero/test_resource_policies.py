"""Resource policies: which volumes a condition is about, and each text about a ConfigMap that can't be used."""

from decimal import Decimal
from typing import Any

import pytest

from pinnace.errors import UsageError
from pinnace.velero.backup import BackupSpec
from pinnace.velero.resource_policies import (
    Action,
    IncludeExcludePolicy,
    ResourcePolicies,
    policy_name,
    read_resource_policies,
    with_policy_filters,
)
from pinnace.velero.volume_conditions import VolumeConditions
from pinnace.velero.volume_facts import VolumeFacts

_GI = 1 << 30
_DISK = VolumeFacts(
    capacity_bytes=Decimal(10 * _GI),
    storage_class="fast",
    volume_type="csi",
    source={"driver": "disk.example", "volumeAttributes": {"tier": "gold", "kind": "ssd"}},
    pvc_labels={"app": "db", "env": "prod"},
    pvc_phase="Bound",
)
_SHARE = VolumeFacts(volume_type="nfs", source={"server": "nfs.example", "path": "/a"}, storage_class="slow")
_NAMED = BackupSpec(others={"resourcePolicy": {"kind": "ConfigMap", "name": "rules"}})


def policies(text: str, *, spec: BackupSpec = _NAMED) -> ResourcePolicies:
    config_map = {"data": {"rules.yaml": text}}
    return read_resource_policies(config_map, spec=spec, backup_namespace="velero", backup_name="b")


@pytest.mark.parametrize(
    ("conditions", "volume", "is_met"),
    [
        ({}, _DISK, True),
        ({"capacity": "10Gi,100Gi"}, _DISK, True),
        ({"capacity": "1Gi,10Gi"}, _DISK, True),
        ({"capacity": "10241Mi,100Gi"}, _DISK, False),
        ({"capacity": ",10239Mi"}, _DISK, False),
        ({"capacity": ",10Gi"}, _DISK, True),
        ({"capacity": "10Gi,"}, _DISK, True),
        ({"capacity": "11Gi,"}, _DISK, False),
        ({"capacity": "0,0"}, _DISK, True),
        ({"storageClass": ["slow", "fast"]}, _DISK, True),
        ({"storageClass": ["slow"]}, _DISK, False),
        ({"nfs": {}}, _SHARE, True),
        ({"nfs": {}}, _DISK, False),
        ({"nfs": {"server": "nfs.example"}}, _SHARE, True),
        ({"nfs": {"server": "nfs.example", "path": "/b"}}, _SHARE, False),
        ({"csi": {}}, _DISK, True),
        ({"csi": {}}, _SHARE, False),
        ({"csi": {"driver": "disk.example"}}, _DISK, True),
        ({"csi": {"driver": "other.example"}}, _DISK, False),
        ({"csi": {"driver": "disk.example", "volumeAttributes": {"tier": "gold"}}}, _DISK, True),
        ({"csi": {"driver": "disk.example", "volumeAttributes": {"tier": "tin"}}}, _DISK, False),
        ({"volumeTypes": ["nfs", "csi"]}, _SHARE, True),
        ({"volumeTypes": ["local"]}, _SHARE, False),
        ({"pvcLabels": {"app": "db"}}, _DISK, True),
        ({"pvcLabels": {"app": "db", "env": "test"}}, _DISK, False),
        ({"pvcLabels": {"app": "db"}}, _SHARE, False),
        ({"pvcPhase": ["Pending", "Bound"]}, _DISK, True),
        ({"pvcPhase": ["Lost"]}, _DISK, False),
        ({"storageClass": ["fast"], "capacity": ",1Gi"}, _DISK, False),
    ],
)
def test_every_condition_must_hold(conditions: dict[str, Any], volume: VolumeFacts, *, is_met: bool) -> None:
    assert VolumeConditions.read(conditions, field="conditions").match(volume) is is_met


def test_the_first_policy_that_matches_wins_and_texts_stay_texts() -> None:
    read = policies(
        """
        version: v1
        volumePolicies:
        - conditions: {capacity: "0,5Gi", storageClass: [fast]}
          action: {type: skip}
        - conditions: {csi: {driver: disk.example}, pvcLabels: {env: prod}}
          action: {type: snapshot, parameters: {keep: true}}
        - conditions: {nfs: {}}
          action: {type: fs-backup}
        - conditions: {}
          action: {type: skip}
        """
    )
    other = VolumeFacts(volume_type="local")
    assert [read.action(volume) for volume in (_DISK, _SHARE, other)] == [
        Action("snapshot", {"keep": "true"}),
        Action("fs-backup"),
        Action("skip"),
    ]
    assert ResourcePolicies().action(_DISK) is None


_READ = "fail to read the ResourcePolicies from ConfigMap velero/b with error "
_INVALID = "fail to validate ResourcePolicies in ConfigMap velero/b with error "
_KNOWN = "action, conditions"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", _READ + "it is no YAML: "),
        ("- a", _READ + "policies: a mapping is wanted, not ['a']"),
        ("version: v1\nrules: []", _READ + "policies: rules is not known; known are includeExcludePolicy, version, "),
        ("volumePolicies: {a: b}", _READ + "volumePolicies: a list is wanted"),
        ("volumePolicies: [{if: {}}]", _READ + f"volumePolicies[0]: if is not known; known are {_KNOWN}"),
        ("volumePolicies: [{conditions: {size: 1Gi}}]", _READ + "volumePolicies[0].conditions: size is not known; "),
        ("volumePolicies: [{conditions: {csi: {x: y}}}]", _READ + "volumePolicies[0].conditions.csi: x is not known; "),
        (
            "volumePolicies: [{conditions: {capacity: 1Gi}}]",
            _READ + "volumePolicies[0].conditions.capacity: '1Gi' is no range such as '10Gi,100Gi', ',10Gi' or '10Gi,'",
        ),
        (
            "volumePolicies: [{conditions: {capacity: '1Gb,'}}]",
            _READ + "volumePolicies[0].conditions.capacity: '1Gb' is not a quantity such as 10Gi or 500M",
        ),
        (
            "volumePolicies: [{conditions: {capacity: '2Gi,1Gi'}}]",
            _READ + "volumePolicies[0].conditions.capacity: '2Gi,1Gi' begins above its end",
        ),
        (
            "volumePolicies: [{conditions: {storageClass: fast}}]",
            _READ + "volumePolicies[0].conditions.storageClass: a list of names is wanted, not 'fast'",
        ),
        (
            "volumePolicies: [{conditions: {pvcLabels: [a]}}]",
            _READ + "volumePolicies[0].conditions.pvcLabels: a mapping of texts is wanted, not ['a']",
        ),
        (
            "volumePolicies: [{conditions: {pvcPhase: [bound]}}]",
            _READ + "volumePolicies[0].conditions.pvcPhase: 'bound' is no phase; give Pending, Bound, Lost",
        ),
        ("version: v2", _INVALID + "version 'v2' is not supported; write version: v1"),
        ("volumePolicies: []", _INVALID + "version None is not supported; write version: v1"),
        (
            "version: v1\nvolumePolicies: [{action: {type: copy}}]",
            _INVALID + "volumePolicies[0].action.type 'copy' is not known; "
            "known are skip, snapshot, fs-backup, custom",
        ),
        (
            "version: v1\nincludeExcludePolicy: {excludedClusterScopedResources: ['*']}",
            _INVALID + "includeExcludePolicy.excludedClusterScopedResources: '*' can't be used in it",
        ),
    ],
)  # fmt: skip
def test_a_config_map_that_is_no_policy_is_refused_with_the_place_and_the_fix(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        policies(text)
    assert str(raised.value).startswith(sentence)


def test_a_config_map_has_one_key_and_can_be_read() -> None:
    arguments = {"spec": _NAMED, "backup_namespace": "velero", "backup_name": "b"}
    with pytest.raises(UsageError) as raised:
        read_resource_policies({"data": {"a": "", "b": ""}}, **arguments)  # type: ignore[arg-type]
    assert str(raised.value) == _READ + "it has 2 keys of data, and policies are in exactly one"
    with pytest.raises(UsageError) as raised:
        read_resource_policies('configmaps "rules" not found', **arguments)  # type: ignore[arg-type]
    sentence = 'fail to get ResourcePolicies velero/rules ConfigMap with error configmaps "rules" not found'
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("reference", "name"),
    [(None, ""), ({}, ""), ({"kind": "configmap", "name": "a"}, "a"), ({"kind": "CONFIGMAP", "name": "a"}, "a")],
)
def test_the_kind_is_configmap_in_any_case(reference: Any, name: str) -> None:
    assert policy_name(BackupSpec(others={"resourcePolicy": reference})) == name


@pytest.mark.parametrize("reference", [{"kind": "Secret", "name": "a"}, {"kind": "configmap"}, {"name": "a"}, ["a"]])
def test_any_other_reference_is_refused(reference: Any) -> None:
    with pytest.raises(UsageError, match=r"^spec\.resourcePolicy"):
        policy_name(BackupSpec(others={"resourcePolicy": reference}))


def test_filters_of_a_policy_do_not_go_with_old_ones() -> None:
    text = "version: v1\nincludeExcludePolicy: {excludedClusterScopedResources: [nodes]}"
    with pytest.raises(UsageError) as raised:
        policies(text, spec=BackupSpec(included_resources=("pods",), others=_NAMED.others))
    assert str(raised.value) == (
        "include-resources, exclude-resources and include-cluster-resources are old filter parameters.\n"
        "They cannot be used with include-exclude policies."
    )
    assert policies(text).include_exclude == IncludeExcludePolicy(excluded_cluster_scoped_resources=("nodes",))


def test_the_spec_decides_before_the_policys_filters() -> None:
    spec = BackupSpec(
        included_cluster_scoped_resources=("nodes",), excluded_namespace_scoped_resources=("secrets", "events")
    )
    policy = IncludeExcludePolicy(
        included_cluster_scoped_resources=("node", "storageclasses"),
        excluded_cluster_scoped_resources=("no", "persistentvolumes"),
        included_namespace_scoped_resources=("secret", "pods"),
        excluded_namespace_scoped_resources=("pods", "secrets"),
    )
    names = {"node": "nodes", "no": "nodes", "secret": "secrets", "storageclasses": "storageclasses.storage.k8s.io"}
    merged = with_policy_filters(spec, policy, resolve=lambda name: names.get(name, name))
    assert merged == BackupSpec(
        included_cluster_scoped_resources=("nodes", "storageclasses"),
        excluded_cluster_scoped_resources=("persistentvolumes",),
        excluded_namespace_scoped_resources=("secrets", "events", "pods"),
    )
    assert with_policy_filters(spec, None, resolve=str) is spec
