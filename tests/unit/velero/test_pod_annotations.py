"""Each annotation by which Velero runs hooks or copies volumes has a sentence that names it."""

from pinnace.velero.pod_annotations import UNMET_REQUESTS


def test_each_annotation_says_what_is_not_done_and_its_own_name() -> None:
    hooks, volumes = "hooks are not run by this version", "volumes are not backed up by this version"
    assert dict(UNMET_REQUESTS) == {
        "pre.hook.backup.velero.io/command": f"{hooks}: annotation pre.hook.backup.velero.io/command",
        "post.hook.backup.velero.io/command": f"{hooks}: annotation post.hook.backup.velero.io/command",
        "hook.backup.velero.io/command": f"{hooks}: annotation hook.backup.velero.io/command",
        "backup.velero.io/backup-volumes": f"{volumes}: annotation backup.velero.io/backup-volumes",
    }
