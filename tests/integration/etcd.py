"""Takes what a test has loaded out of a cluster's etcd again, which is quick, and waits for no controller."""

from pinnace.cluster import etcd_gateway

__all__ = ["delete"]


def delete(etcd_url: str, *, prefix: str) -> None:
    """Delete every key that starts with `prefix`."""
    key = prefix.encode()
    question = {"key": etcd_gateway.encoded(key), "range_end": etcd_gateway.encoded(etcd_gateway.end_of(key))}
    etcd_gateway.post(etcd_gateway.connections(), f"{etcd_url}/v3/kv/deleterange", question)
