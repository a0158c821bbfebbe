"""The figures of a benchmark: one `Run` for each time that a side ran, and what is reckoned from them. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Final

from pinnace.errors import UsageError

__all__ = [
    "AGAINST",
    "ALONE",
    "BACKUP",
    "FLOOR",
    "FORMAT",
    "PROTOBUF_FLOOR",
    "Beside",
    "Measurement",
    "Run",
    "Side",
    "label_of_page",
]

BACKUP, FLOOR, AGAINST = "backup", "floor", "against"
PROTOBUF_FLOOR: Final = "protobuf floor"
"""The same lists as protobuf, where the backup may ask for them so; what it is compared with is the floor of JSON."""

ALONE: Final = "alone"
FORMAT: Final = 1


def label_of_page(page_items: int) -> str:
    """Name the pages of a floor."""
    return f"{page_items:,} a page" if page_items else "unpaged"


@dataclass(frozen=True)
class Run:
    """One run of a side. Times are seconds, sizes bytes; None is what can't be known (a server that is not ours).

    `wall_seconds` begins with the first list request, `start_up_seconds` ends there; a command of others is one wall.
    `bytes` are those of the list responses, for the floor with their framing.
    """

    side: str
    label: str
    repetition: int
    wall_seconds: float
    start_up_seconds: float | None
    cpu_seconds: float
    peak_rss_bytes: int
    bytes: int | None = None
    requests: int | None = None
    apiserver_cpu_seconds: float | None = None
    apiserver_peak_rss_bytes: int | None = None
    etcd_cpu_seconds: float | None = None
    load_average: float = 0.0


@dataclass(frozen=True)
class Side:
    """The medians of one side's runs."""

    side: str
    label: str
    runs: tuple[Run, ...]

    def median(self, name: str) -> float | None:
        """The median of a field, None where no run knows it."""
        values = [value for run in self.runs if (value := getattr(run, name)) is not None]
        return float(median(values)) if values else None

    @property
    def wall_seconds(self) -> float:
        """The median of what it took."""
        return float(median(run.wall_seconds for run in self.runs))

    @property
    def spread_seconds(self) -> tuple[float, float]:
        """The fastest and the slowest run."""
        walls = [run.wall_seconds for run in self.runs]
        return min(walls), max(walls)

    @property
    def peak_rss_bytes(self) -> int:
        """The largest of all runs: memory is a promise, so its worst counts."""
        return max(run.peak_rss_bytes for run in self.runs)


@dataclass(frozen=True)
class Beside:
    """What a light client of another account met meanwhile: `during` is ALONE, FLOOR or BACKUP, rounds together."""

    during: str
    latencies_seconds: tuple[float, ...]
    """Of each request, from when it was due."""

    failed_count: int = 0
    """Those of them that were not answered with 200."""

    @property
    def median_seconds(self) -> float:
        """The median."""
        return float(median(self.latencies_seconds))

    @property
    def p99_seconds(self) -> float:
        """Of a hundred requests the slowest but one; of fewer the slowest."""
        ordered = sorted(self.latencies_seconds)
        return ordered[math.ceil(0.99 * len(ordered)) - 1]

    @property
    def slowest_seconds(self) -> float:
        """The slowest."""
        return max(self.latencies_seconds)


@dataclass(frozen=True)
class Measurement:
    """All runs over one cluster in one consistency mode; `about` says where, with what, and of what.

    `is_compacted` says that etcd was compacted before, as it is after more than five minutes without a write: then the
    API server has dropped what it held of older revisions. `idle_seconds` is how long that was waited for instead.
    """

    items: int
    consistency: str
    runs: tuple[Run, ...]
    idle_seconds: float = 0.0
    archive_bytes: int = 0
    tar_bytes: int = 0
    gzip6_bytes: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)
    is_compacted: bool = False
    beside: tuple[Beside, ...] = ()

    @property
    def mode(self) -> str:
        """What tells its line in a chart: `kind`, `revision after compaction`, `kind after 11 idle minutes`."""
        idle = f" after {self.idle_seconds / 60:.0f} idle minutes" if self.idle_seconds else ""
        return f"{self.consistency}{' after compaction' if self.is_compacted else idle}"

    @property
    def sides(self) -> tuple[Side, ...]:
        """Every side: the backup, the floors, the other command."""
        names = dict.fromkeys((run.side, run.label) for run in self.runs)
        return tuple(
            Side(side, label, tuple(run for run in self.runs if (run.side, run.label) == (side, label)))
            for side, label in names
        )

    @property
    def backup(self) -> Side:
        """The backup's runs."""
        return next(side for side in self.sides if side.side == BACKUP)

    @property
    def floor(self) -> Side:
        """The page size whose median is the smallest: a single fastest run may be luck."""
        return min((side for side in self.sides if side.side == FLOOR), key=lambda side: side.wall_seconds)

    @property
    def protobuf_floor(self) -> Side | None:
        """The lists as protobuf, where they were measured."""
        return next((side for side in self.sides if side.side == PROTOBUF_FLOOR), None)

    def ratio(self, side: Side) -> float:
        """How many times the floor's time a side took, median by median."""
        return side.wall_seconds / self.floor.wall_seconds

    @property
    def archive_ratio(self) -> float | None:
        """The archive's size over that of `gzip -6` of the same tar; None where that was not made."""
        return self.archive_bytes / self.gzip6_bytes if self.gzip6_bytes else None

    def to_document(self) -> dict[str, Any]:
        """What `--output json` prints: every run, and nothing that can be reckoned from them."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Measurement":
        """Read it again; UsageError for what is none."""
        try:
            if document["format"] != FORMAT:
                raise UsageError(f"format {document['format']} is not {FORMAT}: measure again with this version")
            fields = {name: value for name, value in document.items() if name != "format"}
            runs = tuple(Run(**run) for run in fields["runs"])
            measured = cls(**fields | {"runs": runs, "beside": tuple(_besides(fields.get("beside", ())))})
            _check(measured.sides)
        except (TypeError, KeyError) as error:
            raise UsageError(f"not a document of `pinnace bench run --output json`: {error!r}") from error
        return measured


def _besides(documents: Iterable[Mapping[str, Any]]) -> Iterable[Beside]:
    for document in documents:
        yield Beside(**{**document, "latencies_seconds": tuple(document["latencies_seconds"])})


def _check(sides: Sequence[Side]) -> None:
    found = {side.side for side in sides}
    if missing := {BACKUP, FLOOR} - found:
        raise KeyError(f"no run of {', '.join(sorted(missing))}")
