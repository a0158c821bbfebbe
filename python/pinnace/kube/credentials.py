"""Where the server and the user's credentials come from, as kubectl finds them."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import urllib3

import pinnace
from pinnace.errors import KubeError
from pinnace.kube.call import make_interruptible

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration

__all__ = ["credentials_failures_raise", "load"]

_KEPT_CONNECTIONS = 8
"""More than the responses that are ever in flight, so that no connection is thrown away for want of a place."""


def load(*, kubeconfig: Path | None, context: str | None) -> "ApiClient":
    """Make a client from the file given, $KUBECONFIG, ~/.kube/config, or inside a pod from its service account."""
    import kubernetes.client

    configuration = kubernetes.client.Configuration()
    with credentials_failures_raise():
        _fill(configuration, kubeconfig=kubeconfig, context=context)
    # Retries are decided where it is known what was already archived, not below it.
    configuration.retries = urllib3.Retry(0)
    configuration.connection_pool_maxsize = _KEPT_CONNECTIONS
    api_client = kubernetes.client.ApiClient(configuration)
    api_client.user_agent = f"pinnace/{pinnace.__version__}"
    make_interruptible(api_client.rest_client.pool_manager)
    return api_client


def _fill(configuration: "Configuration", *, kubeconfig: Path | None, context: str | None) -> None:
    import kubernetes.config

    try:
        if kubeconfig is None and context is None and not _has_default_kubeconfig() and _is_in_pod():
            kubernetes.config.load_incluster_config(client_configuration=configuration)
        else:
            kubernetes.config.load_kube_config(
                config_file=str(kubeconfig or _default_kubeconfig()),
                context=context,
                client_configuration=configuration,
            )
    except (kubernetes.config.ConfigException, OSError) as error:
        where = kubeconfig or "the default kubeconfig"
        raise KubeError(
            request=f"reading {where}", status=0, reason=str(error), fix="give --kubeconfig and --context"
        ) from error


def _default_kubeconfig() -> str:
    """One path or several, which are merged; those that are not there do not count."""
    return os.environ.get("KUBECONFIG") or "~/.kube/config"


def _has_default_kubeconfig() -> bool:
    return any(Path(path).expanduser().exists() for path in _default_kubeconfig().split(os.pathsep) if path)


def _is_in_pod() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ


@contextmanager
def credentials_failures_raise() -> Iterator[None]:
    """End by KubeError of status 401 where credentials can't be had.

    The client logs an exec plugin's failure and goes on as nobody, whom the server then refuses for another reason.
    """
    complaints = _Complaints()
    root = logging.getLogger()
    root.addHandler(complaints)
    try:
        yield
    finally:
        root.removeHandler(complaints)
    if complaints.sentences:
        raise KubeError(
            request="getting credentials", status=401, reason="; ".join(complaints.sentences), fix="log in again"
        )


class _Complaints(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.sentences: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "root":
            self.sentences.append(record.getMessage())
