"""Live: the rates that were tried, one small picture each."""

from base64 import b64encode
from html import escape

import streamlit as st

from ueo_core.analysis.rate_search import TriedRate, tried_rates
from ueo_core.runs.snapshot import Snapshot

WIDTH, HEIGHT = 150, 48
BLUE = "#2A8CC9"  # legible on a light and on a dark page
STYLE = """<style>
.ueo-rates { display: flex; flex-wrap: wrap; gap: .75rem; margin: 0; padding: 0; }
.ueo-rate { border: 1px solid rgba(128,128,128,.4); border-radius: .5rem; padding: .4rem .7rem;
  width: 12rem; font-size: .85rem; line-height: 1.3; }
.ueo-rate.chosen { border: 2px solid #2A8CC9; }
.ueo-rate.dropped { opacity: .65; }
.ueo-rate b { font-size: 1rem; }
.ueo-rate > div:first-child { display: flex; justify-content: space-between; align-items: baseline; }
.ueo-rate img { display: block; margin: .2rem 0; }
</style>"""


def draw(now: Snapshot) -> None:
    """The ladder of a run that chooses its rate; nothing for a run at a given rate."""
    rows = tried_rates(now)
    if not rows:
        return
    st.markdown("**Learning rates tried, and the evidence without labels for each**")
    values = [y for row in rows for _, y in row.points]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    last = max((x for row in rows for x, _ in row.points), default=1)
    cards = "".join(_card(row, low, high, last) for row in rows)
    st.html(f'{STYLE}<div class="ueo-rates">{cards}</div>')
    st.caption(
        "From zero-shot (left) to an eighth and a quarter of a run; at most 5. Evidence: crops of an image, "
        "its nearest neighbors and confident images agree, and known and unknown stay apart. The chosen rate "
        "then trains a whole run from the beginning."
    )


def _card(row: TriedRate, low: float, high: float, last: int) -> str:
    kind = "chosen" if row.chosen else "dropped" if row.dropped else ""
    value = f"{row.points[-1][1]:.2f}" if row.points else "–"
    mark = "✓ " if row.chosen else ""
    status = row.status[0].upper() + row.status[1:]
    return (
        f'<div class="ueo-rate {kind}"><div><b>{mark}{row.lr:g}</b> <span>evidence {value}</span></div>'
        f"{_picture(row, low, high, last)}<div>{escape(status)}</div></div>"
    )


def _picture(row: TriedRate, low: float, high: float, last: int) -> str:
    """Evidence by step, all cards on the same axes."""

    def at(x: float, y: float) -> tuple[float, float]:
        span = high - low or 1.0
        return 5 + (WIDTH - 10) * x / max(1, last), 5 + (HEIGHT - 10) * (high - y) / span

    points = [at(x, y) for x, y in row.points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{BLUE}"/>' for x, y in points)
    zero = (
        f'<line x1="5" x2="{WIDTH - 5}" y1="{points[0][1]:.1f}" y2="{points[0][1]:.1f}" '
        'stroke="#888" stroke-dasharray="3 3"/>'
        if points
        else ""
    )
    alt = ", ".join(f"{y:.2f} after step {x}" for x, y in row.points)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">{zero}'
        f'<polyline points="{line}" fill="none" stroke="{BLUE}" stroke-width="2"/>{dots}</svg>'
    )
    # As an image: Streamlit removes the elements of a picture from HTML.
    data = b64encode(svg.encode("ascii")).decode("ascii")
    return f'<img src="data:image/svg+xml;base64,{data}" alt="Evidence: {alt}">'
