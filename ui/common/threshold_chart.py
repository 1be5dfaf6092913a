"""A histogram of scores whose threshold can be dragged, and a slider for the same threshold below it."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from ueo_core.analysis import histograms
from ueo_core.analysis.histograms import counts_below, histogram
from ui.common import charts
from ui.common.shell import ROOT

STEPS = 400  # positions of the threshold over the range
_COMPONENT = st.components.v2.component(
    "ueo_threshold",
    html="<svg></svg>",
    css=f"""
svg {{ width: 100%; height: 300px; display: block; font-size: 13px; touch-action: pan-y; cursor: ew-resize;
  user-select: none; }}
text {{ fill: currentColor; opacity: 0.75; }}
.label {{ opacity: 1; font-weight: 600; }}
.grid {{ stroke: currentColor; opacity: 0.13; }}
.striped {{ fill: {charts.UNKNOWN}; }}
.stripe {{ fill: rgba(255, 255, 255, 0.55); }}
.grip {{ fill: transparent; }}
.mark {{ stroke: {charts.PURPLE}; stroke-width: 3; }}
.knob {{ fill: {charts.PURPLE}; }}
.handle {{ outline: none; }}
.handle:focus-visible .knob {{ stroke: currentColor; stroke-width: 3; }}
""",
    js=(ROOT / "assets" / "inspect" / "threshold.js").read_text(encoding="utf-8"),
)


def threshold_chart(
    groups: dict[str, np.ndarray],
    limits: tuple[float, float],
    now: float,
    key: str,
    name: str,
    on_move: Callable[[float], None],
    color: str = charts.AFTER,
    help: str | None = None,
) -> float:
    """Draw the histogram and the slider. → the threshold, inside the limits

    groups: scores by group; "unknown" is striped. limits: of the axis. now: the current threshold;
    on_move is called with a new one.
    """
    low, high = limits
    digits, step = histograms.digits(low, high), (high - low) / STEPS
    # The range may have changed with the axis or the model.
    now = float(np.clip(now, low, high + step))
    st.session_state[key] = now
    together = np.concatenate(list(groups.values()))
    bars = histogram(groups, limits=limits)
    drawn = f"{key}.chart"
    _COMPONENT(
        key=drawn,
        height=300,
        data={
            "edges": bars.edges.tolist(),
            "groups": [
                {
                    "name": group,
                    "counts": bars.counts[group].tolist(),
                    "striped": group == "unknown",
                    "color": charts.KNOWN if len(groups) > 1 else color,
                }
                for group in groups
            ],
            "name": name,
            "digits": digits,
            "low": low,
            "step": step,
            "at": now,
            "below_now": int((together < now).sum()),  # `now` may lie between two positions
            "below": counts_below(together, low + step * np.arange(STEPS + 2)),
            "n": len(together),
            "alt": f"Threshold of {name}",
        },
        on_moved_change=lambda: _moved(st.session_state[drawn].moved, on_move),
    )
    return st.slider(
        "Threshold: images with a lower score count as unknown",
        low,
        high + step,
        step=step,
        format=f"%.{digits}f",
        key=key,
        help=help,
        on_change=lambda: on_move(st.session_state[key]),
    )


def _moved(value: float | None, on_move: Callable[[float], None]) -> None:
    if value is not None:
        on_move(float(value))
