"""Figures as inline SVG: small, sharp at any size, readable without a script or the network.

Colors are CSS variables of the page that holds them (`--before`, `--after`, `--unknown`,
`--green`, `--mark`, `--grid`), so that they follow light and dark. Whatever differs by color
differs by dash, shape or pattern too.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup
from numpy.typing import NDArray

from ueo_core.analysis.per_class import ClassChange

Values = Sequence[float] | NDArray

WIDTH, HEIGHT = 520, 260  # of a figure, in its own units
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 14, 42


@dataclass(frozen=True)
class Frame:
    """The area of a figure in data units, and where a point of it lies."""

    x0: float
    x1: float
    y0: float
    y1: float
    height: int = HEIGHT
    left: int = LEFT

    def x(self, value: float) -> float:
        span = self.x1 - self.x0 or 1.0
        return self.left + (value - self.x0) / span * (WIDTH - self.left - RIGHT)

    def y(self, value: float) -> float:
        span = self.y1 - self.y0 or 1.0
        return self.height - BOTTOM - (value - self.y0) / span * (self.height - TOP - BOTTOM)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values within the range, steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    power = 10 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def text(x: float, y: float, words: str, anchor: str = "middle", kind: str = "tick") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(words)}</text>'


def axes(frame: Frame, x_name: str, y_name: str = "", y_ticks: bool = True) -> str:
    """Grid lines, tick labels and names."""
    parts = []
    bottom = frame.height - BOTTOM
    for v in ticks(frame.x0, frame.x1):
        parts.append(text(frame.x(v), bottom + 15, f"{v:g}"))
    for v in ticks(frame.y0, frame.y1, 4) if y_ticks else ():
        y = frame.y(v)
        parts.append(f'<path class="grid" d="M{frame.left} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(text(frame.left - 6, y + 4, f"{v:g}", "end"))
    parts.append(f'<path class="axis" d="M{frame.left} {bottom}H{WIDTH - RIGHT}"/>')
    parts.append(text((frame.left + WIDTH - RIGHT) / 2, frame.height - 8, x_name, kind="name"))
    if y_name:
        parts.append(text(frame.left, TOP - 3, y_name, "start", "name"))
    return "".join(parts)


def curve(frame: Frame, points: Iterable[tuple[float, float]], style: str) -> str:
    """A line through points in data units; style: CSS class of the curve."""
    path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in points)
    return f'<polyline class="curve {style}" points="{path}"/>'


def figure(body: str, about: str, height: int = HEIGHT) -> Markup:
    """The <svg> around the parts of a figure, whose texts `text` has escaped.

    about: what a screen reader says of the figure.
    """
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(about)}">'
        f"<title>{escape(about)}</title>{body}</svg>"
    )


def lines(
    curves: Mapping[str, Sequence[tuple[float, float]]], x_name: str, y_name: str, about: str
) -> Markup:
    """Curves over one x; the key is the CSS class."""
    xs = [x for points in curves.values() for x, _ in points]
    ys = [y for points in curves.values() for _, y in points]
    frame = Frame(min(xs), max(xs), min(0.0, *ys), max(ys))
    body = axes(frame, x_name, y_name) + "".join(curve(frame, p, k) for k, p in curves.items())
    return figure(body, about)


def histogram(
    edges: Values, counts: Mapping[str, Values], x_name: str, threshold: float, about: str
) -> Markup:
    """Stacked bars by group (key: CSS class) with a vertical line at the threshold."""
    top = max((sum(bar) for bar in zip(*counts.values(), strict=True)), default=1) or 1
    frame = Frame(float(edges[0]), float(edges[-1]), 0, top * 1.05)
    parts = [axes(frame, x_name, "images")]
    base = [0] * (len(edges) - 1)
    for kind, values in counts.items():
        for i, n in enumerate(values):
            if not n:
                continue
            x, right = frame.x(edges[i]), frame.x(edges[i + 1])
            y, bottom = frame.y(base[i] + n), frame.y(base[i])
            parts.append(
                f'<rect class="bar {kind}" x="{x + 0.5:.1f}" y="{y:.1f}" '
                f'width="{max(0.5, right - x - 1):.1f}" height="{bottom - y:.1f}"/>'
            )
            base[i] += int(n)
    at = frame.x(min(max(threshold, frame.x0), frame.x1))
    parts.append(f'<path class="threshold" d="M{at:.1f} {TOP}V{frame.height - BOTTOM}"/>')
    return figure("".join(parts), about)


def roc(
    curves: Mapping[str, tuple[Values, Values]],
    points: Mapping[str, tuple[float, float]],
    about: str,
) -> Markup:
    """ROC curves in percent by side, and where each side's threshold lies on its curve."""
    frame = Frame(0, 100, 0, 100)
    parts = [axes(frame, "unknown images accepted, %", "known images accepted, %")]
    parts.append(curve(frame, [(0, 0), (100, 100)], "diagonal"))
    for side, (fpr, tpr) in curves.items():
        parts.append(curve(frame, zip(fpr, tpr, strict=True), side))
        parts.append(_mark(frame.x(points[side][0]), frame.y(points[side][1]), side))
    return figure("".join(parts), about)


def classes(rows: Sequence[ClassChange], about: str) -> Markup:
    """Accuracy of every class before (square) and after (circle) with intervals; percent."""
    left, line = 165, 26
    frame = Frame(0, 100, 0, 1, TOP + line * len(rows) + BOTTOM, left)
    parts = [axes(frame, "accuracy, %", y_ticks=False)]
    for i, row in enumerate(rows):
        y = TOP + line * (i + 0.5)
        name = row.name if len(row.name) <= 16 else row.name[:15] + "…"
        parts.append(text(left - 8, y + 4, f"{name} ({row.n})", "end"))
        for side, dy in (("before", -4), ("after", 4)):
            low, high = getattr(row, f"{side}_low"), getattr(row, f"{side}_high")
            parts.append(
                f'<path class="whisker {side}" d="M{frame.x(low):.1f} {y + dy:.1f}H{frame.x(high):.1f}"/>'
            )
            parts.append(_mark(frame.x(getattr(row, side)), y + dy, side))
    return figure("".join(parts), about, frame.height)


def _mark(x: float, y: float, side: str) -> str:
    """A square for before, a circle for after."""
    if side == "before":
        return f'<rect class="dot before" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'
    return f'<circle class="dot after" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
