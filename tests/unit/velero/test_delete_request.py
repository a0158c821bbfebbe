"""A DeleteBackupRequest names the Backup by its uid too, in labels that every Velero client finds."""

from pinnace.velero.delete_request import delete_request


def test_the_label_of_a_long_name_is_shortened_and_the_name_is_not() -> None:
    name = "n" * 70
    assert delete_request({"metadata": {"name": name, "uid": "u"}}) == {
        "apiVersion": "velero.io/v1",
        "kind": "DeleteBackupRequest",
        "metadata": {
            "generateName": f"{name}-",
            "labels": {"velero.io/backup-name": "n" * 57 + "85069d", "velero.io/backup-uid": "u"},
        },
        "spec": {"backupName": name},
    }
