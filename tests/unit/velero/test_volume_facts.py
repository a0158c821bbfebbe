"""What is read of a PersistentVolume and its claim."""

from decimal import Decimal
from typing import Any

import pytest

from pinnace.velero.volume_facts import VolumeFacts, volume_zone


def test_the_fields_that_decide_are_read_from_both() -> None:
    source = {"driver": "disk.example", "volumeHandle": "v-1"}
    volume = {"spec": {"capacity": {"storage": "1Gi"}, "storageClassName": "fast", "csi": source}}
    claim = {"metadata": {"labels": {"app": "db"}}, "spec": {}, "status": {"phase": "Bound"}}
    facts = VolumeFacts.of(volume, claim)
    assert facts == VolumeFacts(Decimal(1 << 30), "fast", "csi", source, {"app": "db"}, "Bound")
    assert facts.csi_driver == "disk.example"


def test_what_is_missing_is_empty() -> None:
    assert VolumeFacts.of(None, None) == VolumeFacts()
    assert VolumeFacts.of({"spec": {"nfs": {"server": "s"}}}, {"spec": {"storageClassName": "c"}}) == VolumeFacts(
        storage_class="c", volume_type="nfs", source={"server": "s"}
    )
    assert VolumeFacts.of({"spec": {"nfs": {"driver": "s"}}}, None).csi_driver == ""


_IN_B = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["b", "c"]}


@pytest.mark.parametrize(
    ("labels", "expressions", "zone"),
    [
        ({"topology.kubernetes.io/zone": "a"}, [_IN_B], "a"),
        ({"failure-domain.beta.kubernetes.io/zone": "a"}, [], "a"),
        ({}, [{"key": "x", "operator": "In", "values": ["z"]}, _IN_B], "b"),
        ({}, [{"key": "topology.ebs.csi.aws.com/zone", "operator": "In", "values": ["d"]}], "d"),
        ({}, [{**_IN_B, "operator": "NotIn"}], ""),
        ({}, [], ""),
    ],
)
def test_the_zone_is_a_label_or_else_the_node_affinitys(
    labels: dict[str, str], expressions: list[dict[str, Any]], zone: str
) -> None:
    required = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
    volume = {"metadata": {"labels": labels}, "spec": {"nodeAffinity": {"required": required}}}
    assert volume_zone(volume) == zone
    assert volume_zone({"metadata": {}, "spec": {}}) == ""
