"""The bars of a protocol: one panel per metric, one group per category shift, one bar per method."""

from collections.abc import Sequence

from plotly.graph_objects import Bar, Figure
from plotly.subplots import make_subplots

# Okabe and Ito's colors, zero-shot gray; patterns tell the bars apart without color.
COLORS = ("#8797A8", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
PATTERNS = ("", "", "/", "\\", "x", ".", "-", "|", "+")
PANEL_HEIGHT = 190  # pixels


def bars(entries: Sequence[dict], metrics: Sequence[str], gain: bool) -> Figure:
    """entries: as `protocol.tables.summary` gives them. Error bars: sample standard deviation over the seeds."""
    figure = make_subplots(
        rows=len(metrics),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.05,
        row_titles=[m.upper() for m in metrics],
    )
    shifts = list(dict.fromkeys(e["shift"] for e in entries))
    cells = {(e["method"], e["shift"]): e for e in entries}
    methods = {e["method"]: e["title"] for e in entries}
    for row, metric in enumerate(metrics, start=1):
        for i, (method, title) in enumerate(methods.items()):
            found = [cells.get((method, shift)) for shift in shifts]
            figure.add_trace(
                Bar(
                    name=title,
                    x=shifts,
                    y=[e and e["mean"][metric] for e in found],
                    error_y={
                        "array": [e and e["deviation"][metric] for e in found],
                        "thickness": 1.2,
                    },
                    legendgroup=method,
                    showlegend=row == 1,
                    marker={
                        "color": COLORS[i % len(COLORS)],
                        "pattern": {
                            "shape": PATTERNS[i % len(PATTERNS)],
                            "solidity": 0.3,
                            "size": 7,
                            "fillmode": "overlay",
                            "fgcolor": "rgba(255,255,255,0.7)",
                        },
                    },
                    hovertemplate=f"{title}, %{{x}}: %{{y:.1f}}<extra>{metric.upper()}</extra>",
                ),
                row=row,
                col=1,
            )
    figure.update_yaxes(range=None if gain else [0, 100], ticksuffix="" if gain else " %")
    figure.update_layout(
        barmode="group",
        bargap=0.18,
        height=110 + PANEL_HEIGHT * len(metrics),
        margin={"l": 10, "r": 30, "t": 10, "b": 10},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
    )
    return figure
