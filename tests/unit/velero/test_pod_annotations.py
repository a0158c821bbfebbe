"""Each annotation by which Velero copies volumes has a sentence that names it."""

from pinnace.velero.pod_annotations import UNMET_REQUESTS


def test_each_annotation_says_what_is_not_done_and_its_own_name() -> None:
    volumes = "volumes are not backed up by this version"
    assert dict(UNMET_REQUESTS) == {
        "backup.velero.io/backup-volumes": f"{volumes}: annotation backup.velero.io/backup-volumes"
    }
