"""The choice of a VolumeSnapshotClass, step by step, with every refusal as a whole text."""

from typing import Any

import pytest

from pinnace.errors import VolumeError
from pinnace.volumes.csi_class import choose_class

_KEY = "velero.io/csi-volumesnapshot-class"
_NONE = f"driver d has no VolumeSnapshotClass; make one, labelled {_KEY}=true"
_DEFAULT = {"snapshot.storage.kubernetes.io/is-default-class": "true"}


def made(name: str, *, driver: str = "d", labels: Any = None, annotations: Any = None) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels, "annotations": annotations}, "driver": driver}


_PLAIN, _OTHER = made("plain"), made("other", driver="e", labels={_KEY: "true"})
_LABELLED, _DEFAULTED = made("labelled", labels={_KEY: "true"}), made("defaulted", annotations=_DEFAULT)
_ALL = [_OTHER, _PLAIN, _DEFAULTED, _LABELLED]


@pytest.mark.parametrize(
    ("classes", "claim", "backup", "name"),
    [
        (_ALL, {_KEY: "plain"}, {f"{_KEY}_d": "defaulted"}, "plain"),
        (_ALL, {}, {f"{_KEY}_d": "defaulted", f"{_KEY}_e": "other"}, "defaulted"),
        (_ALL, {}, {f"{_KEY}_e": "other"}, "labelled"),
        ([_PLAIN, _DEFAULTED], {}, {}, "defaulted"),
        ([_PLAIN, _OTHER], {}, {}, "plain"),
        ([made("a", labels={_KEY: ""}), _LABELLED], {}, {}, "a"),
    ],
)
def test_the_order_of_velero(classes: list[Any], claim: dict[str, str], backup: dict[str, str], name: str) -> None:
    chosen = choose_class("d", classes, claim_annotations=claim, backup_annotations=backup)
    assert (chosen.name, chosen.warnings) == (name, ())


def test_a_named_class_that_the_driver_does_not_have_is_passed_over_and_told() -> None:
    chosen = choose_class("d", _ALL, claim_annotations={_KEY: "other"}, backup_annotations={f"{_KEY}_d": "gone"})
    assert chosen.name == "labelled"
    assert chosen.warnings == (
        "the claim names VolumeSnapshotClass other, which driver d does not have",
        "the Backup names VolumeSnapshotClass gone, which driver d does not have",
    )


@pytest.mark.parametrize(
    ("classes", "claim", "sentence"),
    [
        ([_OTHER], {}, _NONE),
        (
            [made("b"), made("a", annotations={"snapshot.storage.kubernetes.io/is-default-class": "false"})],
            {},
            f"driver d has several VolumeSnapshotClasses: a, b; label the one to take {_KEY}=true",
        ),
        (
            [],
            {_KEY: "x"},
            f"the claim names VolumeSnapshotClass x, which driver d does not have; {_NONE}",
        ),
    ],
)
def test_without_the_one_class_it_is_an_error_with_the_fix(
    classes: list[Any], claim: dict[str, str], sentence: str
) -> None:
    with pytest.raises(VolumeError) as raised:
        choose_class("d", classes, claim_annotations=claim, backup_annotations={})
    assert str(raised.value) == sentence
