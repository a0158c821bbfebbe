"""Let an API server collect its garbage, so that each run meets the same heap."""

from pinnace.kube.client import Client

__all__ = ["collect_garbage"]


def collect_garbage(client: Client) -> None:
    """Collect, and wait for it: by the profile of the heap, which Go makes after a collection (net/http/pprof).

    With 300,000 objects a collection costs as much processor time as half a backup. Left to itself it comes whenever
    the heap has doubled, in the run of one side, which in rounds of equal length is always the same side.
    KubeError where the server has no profiling, or does not permit it.
    """
    with client.open("/debug/pprof/heap", {"gc": "1"}) as response:
        for _ in response.chunks():
            pass
