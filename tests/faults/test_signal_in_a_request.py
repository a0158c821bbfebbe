"""A signal that comes while a request is being sent ends the run; it is not taken for a failed request."""

import pytest

from pinnace.errors import InterruptedRun
from pinnace.kube.client import Client


class InterruptedApiClient:
    """Stands for the generated client, with a signal handler that raises in its middle."""

    def param_serialize(self, method: str, path: str, **_: object) -> tuple[str, str, dict[str, str], None]:
        return method, path, {}, None

    def call_api(self, *_: object, **__: object) -> None:
        raise InterruptedRun(signal_number=15)


def test_it_passes_through_as_it_is() -> None:
    client = Client(InterruptedApiClient())  # type: ignore[arg-type]
    with pytest.raises(InterruptedRun) as raised:
        client.get("/version")
    assert raised.value.exit_code == 143
