"""Let a cluster of our own forget its older revisions at once, as its API server does after five minutes and more.

An API server compacts etcd every five minutes at the revision that was the newest one round earlier. It notes that
revision under a key, which other API servers watch (etcd3/compact.go); each cache looks every 15 s, and then drops its
snapshots of older revisions (cacher/compactor.go). Who writes the key and compacts is, to an API server, another one.
"""

import time
from typing import Final

from pinnace.cluster import etcd_gateway

__all__ = ["COMPACT_REVISION_KEY", "forget_revisions"]

COMPACT_REVISION_KEY: Final = "compact_rev_key"
_NOTICED_SECONDS: Final = 17.0
"""Until every cache has looked: 15 s, and time to do it."""


def forget_revisions(etcd_url: str) -> int:
    """Compact at the newest revision, and wait until the API server has dropped what is older; gives the revision."""
    connected, key = etcd_gateway.connections(), etcd_gateway.encoded(COMPACT_REVISION_KEY.encode())

    def note(revision: int) -> int:
        value = etcd_gateway.encoded(str(revision).encode())
        put = etcd_gateway.post(connected, f"{etcd_url}/v3/kv/put", {"key": key, "value": value})
        return int(put["header"]["revision"])

    # The first write makes a revision that no item of the cluster has: the last item's snapshot is older, too.
    revision = note(0)
    note(revision)
    etcd_gateway.post(connected, f"{etcd_url}/v3/kv/compaction", {"revision": str(revision), "physical": True})
    time.sleep(_NOTICED_SECONDS)
    return revision
