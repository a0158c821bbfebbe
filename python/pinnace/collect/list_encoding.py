"""In which encoding each kind is listed: as protobuf where the engine knows the server's fields, else as JSON."""

from dataclasses import dataclass

from pinnace import engine
from pinnace.kube.discovery import ApiResource

__all__ = ["JSON", "PROTOBUF_CONTENT_TYPE", "Encoding", "Encodings"]

PROTOBUF_CONTENT_TYPE = "application/vnd.kubernetes.protobuf"


@dataclass(frozen=True)
class Encoding:
    """How one response is encoded: `protobuf_of` is the minor version of Kubernetes that made it, "" for JSON.

    With `refuses_nil` nothing of protobuf is guessed: an item that JSON may show in two ways ends its reading.
    """

    protobuf_of: str = ""
    refuses_nil: bool = False

    @property
    def name(self) -> str:
        """The word for people and the manifest."""
        return "protobuf" if self.protobuf_of else "json"

    @property
    def accept(self) -> str:
        """The header that asks for it; a server that can't encode a kind as protobuf answers in JSON."""
        return f"{PROTOBUF_CONTENT_TYPE}, application/json" if self.protobuf_of else "application/json"

    def answered(self, content_type: str) -> "Encoding":
        """Tell the encoding of an answer to a request for this one."""
        return self if content_type.partition(";")[0].strip() == PROTOBUF_CONTENT_TYPE else JSON


JSON = Encoding()


class Encodings:
    """Of one run against a server of the minor version `server` (`1.35`), kind by kind.

    `wanted` is what `--list-encoding` says: `json`; `protobuf` for the kinds that the engine has a table of; `auto` for
    these, too, as long as protobuf certainly says what JSON would.
    """

    def __init__(self, wanted: str = "auto", *, server: str = "") -> None:
        self._protobuf = Encoding(server, refuses_nil=wanted == "auto")
        self._kinds = set(engine.protobuf_kinds(server)) if wanted in ("auto", "protobuf") else set()

    def of(self, resource: ApiResource) -> Encoding:
        """In which encoding to ask for a list; custom resources and aggregated APIs are JSON always."""
        is_known = not resource.aggregated and (resource.api_version, resource.kind) in self._kinds
        return self._protobuf if is_known else JSON

    def refuse(self, resource: ApiResource) -> None:
        """Ask for it as JSON from now on."""
        self._kinds.discard((resource.api_version, resource.kind))
