"""The kinds that the dispatcher and the Job read and write."""

from pinnace.kube.objects import Kind

__all__ = [
    "BACKUPS",
    "BACKUP_STORAGE_LOCATIONS",
    "CONFIG_MAPS",
    "DELETE_BACKUP_REQUESTS",
    "DOWNLOAD_REQUESTS",
    "EVENTS",
    "JOBS",
    "LEASES",
    "NAMESPACES",
    "PODS",
    "RESTORES",
    "ROLES",
    "ROLE_BINDINGS",
    "SCHEDULES",
    "SECRETS",
    "SERVER_STATUS_REQUESTS",
    "VOLUME_SNAPSHOTS",
    "VOLUME_SNAPSHOT_CLASSES",
    "VOLUME_SNAPSHOT_CONTENTS",
    "VOLUME_SNAPSHOT_LOCATIONS",
]

BACKUPS = Kind("velero.io/v1", "backups")
BACKUP_STORAGE_LOCATIONS = Kind("velero.io/v1", "backupstoragelocations")
VOLUME_SNAPSHOT_LOCATIONS = Kind("velero.io/v1", "volumesnapshotlocations")
SCHEDULES = Kind("velero.io/v1", "schedules")
RESTORES = Kind("velero.io/v1", "restores")
DELETE_BACKUP_REQUESTS = Kind("velero.io/v1", "deletebackuprequests")
DOWNLOAD_REQUESTS = Kind("velero.io/v1", "downloadrequests")
SERVER_STATUS_REQUESTS = Kind("velero.io/v1", "serverstatusrequests")
JOBS = Kind("batch/v1", "jobs")
PODS = Kind("v1", "pods")
SECRETS = Kind("v1", "secrets")
CONFIG_MAPS = Kind("v1", "configmaps")
EVENTS = Kind("v1", "events")
NAMESPACES = Kind("v1", "namespaces")
LEASES = Kind("coordination.k8s.io/v1", "leases")
ROLES = Kind("rbac.authorization.k8s.io/v1", "roles")
ROLE_BINDINGS = Kind("rbac.authorization.k8s.io/v1", "rolebindings")
VOLUME_SNAPSHOTS = Kind("snapshot.storage.k8s.io/v1", "volumesnapshots")
VOLUME_SNAPSHOT_CLASSES = Kind("snapshot.storage.k8s.io/v1", "volumesnapshotclasses")
VOLUME_SNAPSHOT_CONTENTS = Kind("snapshot.storage.k8s.io/v1", "volumesnapshotcontents")
