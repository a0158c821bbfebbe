"""The figures of a benchmark: one `Run` for each time that a side ran, and what is reckoned from them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Final

from pinnace.errors import UsageError

__all__ = ["AGAINST", "BACKUP", "FLOOR", "FORMAT", "Measurement", "Run", "Side", "label_of_page"]

BACKUP, FLOOR, AGAINST = "backup", "floor", "against"
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
class Measurement:
    """All runs over one cluster in one consistency mode; `about` says where, with what, and of what.

    `idle_seconds` is how long nothing was asked before: after more than five minutes etcd is compacted, and the API
    server has dropped what it held of older revisions.
    """

    items: int
    consistency: str
    runs: tuple[Run, ...]
    idle_seconds: float = 0.0
    archive_bytes: int = 0
    tar_bytes: int = 0
    gzip6_bytes: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def mode(self) -> str:
        """What tells its line in a chart from others: `kind`, `revision after 11 idle minutes`."""
        idle = f" after {self.idle_seconds / 60:.0f} idle minutes" if self.idle_seconds else ""
        return f"{self.consistency}{idle}"

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
            measured = cls(**fields | {"runs": tuple(Run(**run) for run in fields["runs"])})
            _check(measured.sides)
        except (TypeError, KeyError) as error:
            raise UsageError(f"not a document of `pinnace bench run --output json`: {error!r}") from error
        return measured


def _check(sides: Sequence[Side]) -> None:
    found = {side.side for side in sides}
    if missing := {BACKUP, FLOOR} - found:
        raise KeyError(f"no run of {', '.join(sorted(missing))}")
