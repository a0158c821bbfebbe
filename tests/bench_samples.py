"""Made-up runs and measurements of the benchmark."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pinnace.bench.figures import BACKUP, FLOOR, Measurement, Run

__all__ = ["measurement", "run"]


def run(side: str, label: str, wall_seconds: float, *, peak_rss_bytes: int = 100 << 20) -> Run:
    """One run."""
    return Run(side, label, 1, wall_seconds, 0.5, 1.0, peak_rss_bytes)


def measurement(
    *,
    items: int = 60_000,
    runs: tuple[Run, ...] = (),
    consistency: str = "revision",
    about: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Measurement:
    """A backup of 2.6 s over a floor of 2 s, if no runs are given."""
    runs = runs or (run(BACKUP, "pinnace", 2.6), replace(run(FLOOR, "unpaged", 2.0), bytes=213_000_000))
    return Measurement(items, consistency, runs, about=about or {}, **fields)
