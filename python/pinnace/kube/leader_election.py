"""One leader among several dispatchers, by a Lease and the kubernetes client's leader election."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pinnace.errors import KubeError
from pinnace.kube.client import Client
from pinnace.kube.kinds import LEASES
from pinnace.kube.objects import Objects

if TYPE_CHECKING:
    from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

__all__ = ["Candidate", "lead"]

_LEASE_SECONDS = 15
_RENEW_SECONDS = 10
_RETRY_SECONDS = 2
"""client-go's defaults: another one takes over at most 15 s after the leader was last seen."""


@dataclass(frozen=True)
class Candidate:
    """Who wants to lead; `identity` is the pod's name."""

    namespace: str
    lease_name: str
    identity: str


def lead(client: Client, candidate: Candidate, *, run: Callable[[], None], on_lost: Callable[[], None]) -> None:
    """Wait for the Lease, `run` in a thread while it is held, and call `on_lost` if it can't be renewed.

    Leaving it by an exception (a signal) gives the Lease back, so that the next one need not wait for its end.
    """
    from kubernetes.leaderelection import electionconfig, leaderelection

    lock = _lock(client, candidate)
    config = electionconfig.Config(
        lock,
        lease_duration=_LEASE_SECONDS,
        renew_deadline=_RENEW_SECONDS,
        retry_period=_RETRY_SECONDS,
        onstarted_leading=run,
        onstopped_leading=on_lost,
    )
    try:
        leaderelection.LeaderElection(config).run()
    except BaseException:
        _release(client, candidate)
        raise


def _lock(client: Client, candidate: Candidate) -> "LeaseLock":
    from kubernetes.client import ApiException, CoordinationV1Api
    from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

    class Lock(LeaseLock):
        """Its parent lets an API server that can't be reached end the election; here it is one failed attempt."""

        def __init__(self) -> None:
            super().__init__(candidate.lease_name, candidate.namespace, candidate.identity)
            self.api_instance = CoordinationV1Api(client.api_client)

        def get(self, name: str, namespace: str) -> Any:
            try:
                return super().get(name, namespace)
            except Exception as error:
                return False, ApiException(status=0, reason=str(error))

        def create(self, name: str, namespace: str, election_record: Any) -> bool:
            try:
                return bool(super().create(name, namespace, election_record))
            except Exception:
                return False

        def update(self, name: str, namespace: str, updated_record: Any) -> bool:
            try:
                return bool(super().update(name, namespace, updated_record))
            except Exception:
                return False

    return Lock()


def _release(client: Client, candidate: Candidate) -> None:
    leases = Objects(client, LEASES, namespace=candidate.namespace)
    try:
        lease = leases.get(candidate.lease_name)
        if lease is not None and (lease.get("spec") or {}).get("holderIdentity") == candidate.identity:
            leases.patch_unchanged(lease, {"spec": {"holderIdentity": ""}})
    except KubeError:
        return  # the Lease then ends by itself
