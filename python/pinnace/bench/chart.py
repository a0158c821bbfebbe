"""Line charts as SVG: few enough to be written by hand, so that a report needs no plotting library of 60 MB."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

__all__ = ["Chart", "Line", "apart", "ticks", "x_labels"]

_WIDTH, _HEIGHT = 790, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 300, 16, 46
_LABEL_GAP: Final = 15


@dataclass(frozen=True)
class Line:
    """One line; `points` are (x, y) with x ascending, `color` is CSS."""

    name: str
    points: Sequence[tuple[float, float]]
    color: str
    dash: str = ""
    """SVG's `stroke-dasharray`."""


@dataclass(frozen=True)
class Chart:
    """Lines over one x axis, logarithmic as sizes of clusters are, and a y axis from zero."""

    title: str
    x_title: str
    y_title: str
    lines: Sequence[Line]
    y_limit: float | None = None
    """A promise, drawn as a line across."""

    y_limit_name: str = ""

    def svg(self) -> str:
        """Draw it."""
        x_values = sorted({x for line in self.lines for x, _ in line.points})
        y_values = [y for line in self.lines for _, y in line.points] + ([self.y_limit] if self.y_limit else [])
        y_ticks = ticks(max(y_values, default=1.0))
        place = _placer(x_values, y_ticks[-1])
        parts = [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
                f'font-family="system-ui, sans-serif" font-size="12"><title>{escape(self.title)}</title>'
            ),
            *self._grid(x_values, y_ticks, place),
            *(part for line in self.lines for part in _drawn(line, place)),
            *self._names(place),
            "</svg>",
        ]
        return "\n".join(parts)

    def _grid(self, x_values: Sequence[float], y_ticks: Sequence[float], place: "_Place") -> list[str]:
        right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
        parts = []
        for y in y_ticks:
            _, top = place(x_values[0], y)
            parts.append(f'<line x1="{_LEFT}" x2="{right}" y1="{top:.1f}" y2="{top:.1f}" stroke="#ddd"/>')
            parts.append(f'<text x="{_LEFT - 8}" y="{top + 4:.1f}" text-anchor="end" fill="#555">{y:g}</text>')
        for x in x_labels(x_values):
            left, _ = place(x, 0)
            parts.append(f'<text x="{left:.1f}" y="{bottom + 18}" text-anchor="middle" fill="#555">{x:,.0f}</text>')
        if self.y_limit is not None:
            _, top = place(x_values[0], self.y_limit)
            parts.append(
                f'<line x1="{_LEFT}" x2="{right}" y1="{top:.1f}" y2="{top:.1f}" stroke="#b00" stroke-dasharray="2 4"/>'
                f'<text x="{_LEFT + 6}" y="{top - 5:.1f}" fill="#b00">{escape(self.y_limit_name)}</text>'
            )
        middle = (_LEFT + right) / 2
        parts.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(self.x_title)}</text>')
        parts.append(
            f'<text transform="translate(14 {(_TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">'
            f"{escape(self.y_title)}</text>"
        )
        return parts

    def _names(self, place: "_Place") -> list[str]:
        """Each line's name at its end, moved apart where lines end close to each other, and none below the axis."""
        ends = sorted(
            ((place(*line.points[-1]), line) for line in self.lines if line.points), key=lambda end: end[0][1]
        )
        heights = apart([top for (_, top), _ in ends], lowest=_HEIGHT - _BOTTOM)
        return [
            f'<text x="{left + 10:.1f}" y="{height + 4:.1f}" fill="{line.color}">{escape(line.name)}</text>'
            for ((left, _), line), height in zip(ends, heights, strict=True)
        ]


def apart(heights: Sequence[float], *, lowest: float) -> list[float]:
    """Move labels, highest first, so that none covers another or is below `lowest` (y grows downwards)."""
    moved: list[float] = []
    for height in heights:
        moved.append(max(height, moved[-1] + _LABEL_GAP) if moved else height)
    limit = lowest
    for number in range(len(moved) - 1, -1, -1):
        moved[number] = min(moved[number], limit)
        limit = moved[number] - _LABEL_GAP
    return moved


def x_labels(x_values: Sequence[float]) -> list[float]:
    """Sizes to write below the axis, to two digits; those that are within a tenth of each other get one."""
    labels: list[float] = []
    last = 0.0
    for x in sorted(x_values):
        if x > last * 1.1:
            labels.append(float(f"{x:.2g}"))
            last = x
    return labels


_Place = Callable[[float, float], tuple[float, float]]


def ticks(largest: float) -> list[float]:
    """Round values from zero to at least `largest`, four to six of them."""
    if largest <= 0:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(largest / 4))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if largest / (power * factor) <= 5)
    return [round(step * number, 10) for number in range(math.ceil(largest / step - 1e-9) + 1)]


def _placer(x_values: Sequence[float], y_top: float) -> _Place:
    first, last = math.log(max(x_values[0], 1)), math.log(max(x_values[-1], 1))

    def place(x: float, y: float) -> tuple[float, float]:
        share = (math.log(max(x, 1)) - first) / (last - first) if last > first else 0.5
        left = _LEFT + 14 + share * (_WIDTH - _LEFT - _RIGHT - 28)
        return left, _TOP + (1 - y / y_top) * (_HEIGHT - _TOP - _BOTTOM)

    return place


def _drawn(line: Line, place: _Place) -> list[str]:
    places = [place(x, y) for x, y in line.points]
    dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
    way = " ".join(f"{left:.1f},{top:.1f}" for left, top in places)
    return [
        f'<polyline points="{way}" fill="none" stroke="{line.color}" stroke-width="2"{dash}/>',
        *(f'<circle cx="{left:.1f}" cy="{top:.1f}" r="3.5" fill="{line.color}"/>' for left, top in places),
    ]
