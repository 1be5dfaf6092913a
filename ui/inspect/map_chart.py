"""The map of images as a Plotly figure: two panels, before and after, that share all colors.

A symbol repeats every color. A point's `customdata` is the index of its image, which a selection
returns.
"""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ueo_core.analysis.label_layout import spread_marks
from ui.common.text import escaped

CLASS_LOOKS = (  # Okabe and Ito's and three more; vermilion is kept for the unknown
    ("#0072B2", "circle"),
    ("#E69F00", "square"),
    ("#009E73", "diamond"),
    ("#CC79A7", "cross"),
    ("#56B4E9", "triangle-down"),
    ("#A6761D", "pentagon"),
    ("#7B6FD0", "hexagon"),
    ("#8C8C00", "hourglass"),
)
LOOKS = {
    "rest": ("#9AA5B1", "circle"),
    "unlabeled": ("#9AA5B1", "circle"),
    "unknown": ("#D55E00", "triangle-up"),
    "same": ("#9AA5B1", "circle"),
    "right": ("#56B4E9", "circle"),
    "wrong": ("#8797A8", "x"),
    "changed": ("#E69F00", "diamond"),
    "became-right": ("#009E73", "triangle-up"),
    "became-wrong": ("#D55E00", "triangle-down"),
}
SCALE = "Cividis"  # looks the same to color-blind people
NAMED = 40  # largest number of class texts with a name each
HEIGHT = 620
PANELS = {"before": 1, "after": 2}


def figure(where, groups: dict, texts: dict, classes: Sequence[str], titles: dict, marked: dict):
    """Groups of images by color. groups: side → [Group]; texts: side → hover text of each image on the map.

    marked: {"brushed": images to highlight, "chosen": one image or None, "ink": color of text}.
    """
    fig = _frame(titles)
    looks, seen = {}, set()
    for side in PANELS:
        for group in groups[side]:
            if group.kind == "class" and group.name not in looks:
                looks[group.name] = CLASS_LOOKS[len(looks) % len(CLASS_LOOKS)]
            color, symbol = looks.get(group.name) or LOOKS[group.kind]
            _points(
                fig,
                side,
                where,
                group.members,
                texts[side],
                marked,
                name=escaped(group.name),
                legendgroup=group.name,
                showlegend=group.name not in seen,
                marker={"color": color, "symbol": symbol},
            )
            seen.add(group.name)
    return _finished(fig, where, classes, marked)


def scored(
    where, scores: dict, limits: dict, texts: dict, classes, titles: dict, marked: dict, name: str
):
    """All images by their score, each side on its own scale; crosses are below the threshold."""
    fig = _frame(titles)
    for side, column in PANELS.items():
        values = scores[side]
        drawn = values[where.images]
        for known, symbol, title in (
            (True, "circle", "at or above the threshold"),
            (False, "x", "below the threshold: unknown"),
        ):
            members = where.images[(drawn >= limits[side]) == known]
            if not len(members):
                continue
            _points(
                fig,
                side,
                where,
                members,
                texts[side],
                marked,
                name=title,
                legendgroup=title,
                showlegend=side == "after",
                marker={
                    "color": values[members].astype(np.float32),
                    "symbol": symbol,
                    "coloraxis": f"coloraxis{column if column > 1 else ''}",
                },
            )
        bar = {"colorscale": SCALE, "cmin": float(values.min()), "cmax": float(values.max())}
        bar["colorbar"] = {
            "title": {"text": name, "side": "top"},
            "orientation": "h",
            "thickness": 10,
            "len": 0.42,
            "x": 0.22 if column == 1 else 0.78,
            "y": -0.02,
            "yanchor": "top",
        }
        fig.update_layout({f"coloraxis{column if column > 1 else ''}": bar})
    return _finished(fig, where, classes, marked, legend_y=-0.2)


def _frame(titles: dict):
    fig = make_subplots(1, 2, subplot_titles=[titles[s] for s in PANELS], horizontal_spacing=0.03)
    hidden = {"showticklabels": False, "ticks": "", "zeroline": False, "showgrid": False}
    fig.update_xaxes(**hidden, showline=False)
    fig.update_yaxes(**hidden, showline=False)
    for n in ("", "2"):  # an axis has no line on the opposite side
        fig.add_shape(
            type="rect",
            xref=f"x{n} domain",
            yref=f"y{n} domain",
            x0=0,
            x1=1,
            y0=0,
            y1=1,
            line={"color": "rgba(128,128,128,0.35)", "width": 1},
            layer="below",
        )
    for title, start in zip(fig.layout.annotations, (0.0, 0.515), strict=True):
        # At the left, because the toolbar appears at the right.
        title.update(x=start, xanchor="left", yshift=6)
    return fig


def _points(fig, side: str, where, members, texts, marked: dict, marker: dict, **trace) -> None:
    brushed, points = np.asarray(marked["brushed"], np.int64), where.points[side]
    rows = where.places(members)
    size = 8 if len(points) <= 500 else 6 if len(points) <= 3000 else 4.5
    fig.add_trace(
        go.Scattergl(
            x=points[rows, 0].astype(np.float32),
            y=points[rows, 1].astype(np.float32),
            mode="markers",
            customdata=members.astype(np.int32),
            text=[texts[i] for i in rows],
            hovertemplate="%{text}<extra></extra>",
            opacity=0.85,
            marker=marker | {"size": size},
            selectedpoints=np.flatnonzero(np.isin(members, brushed)) if len(brushed) else None,
            unselected={"marker": {"opacity": 0.12}},
            **trace,
        ),
        1,
        PANELS[side],
    )


def _leads(fig, column: int, true, moved) -> None:
    """Thin lines from the stars that were moved to their true places."""
    gap = np.full(len(true), np.nan)
    fig.add_trace(
        go.Scatter(
            x=np.stack([moved[:, 0], true[:, 0], gap], 1).ravel(),
            y=np.stack([moved[:, 1], true[:, 1], gap], 1).ravel(),
            mode="lines",
            hoverinfo="skip",
            name="place of a class text",
            showlegend=False,
            line={"color": "#999", "width": 1},
        ),
        1,
        column,
    )


def _finished(fig, where, classes, marked: dict, legend_y: float = -0.03):
    ink = marked["ink"]
    names = [escaped(c) for c in classes]
    for side, column in PANELS.items():
        names_shown = list(classes) if len(classes) <= NAMED else None
        anchors = spread_marks(where.anchors[side], where.points[side], names_shown)
        _leads(fig, column, where.anchors[side], anchors)
        fig.add_trace(
            go.Scatter(
                x=anchors[:, 0],
                y=anchors[:, 1],
                text=names,
                name="class text",
                mode="markers+text" if len(classes) <= NAMED else "markers",
                textposition="top center",
                textfont={"size": 12, "color": ink},
                hovertemplate="class text “%{text}”<extra></extra>",
                marker={
                    "symbol": "star",
                    "size": 11 if len(classes) <= NAMED else 8,
                    "color": "#F0C808",
                    "line": {"width": 1, "color": "#222"},
                },
                legendgroup="class text",
                showlegend=side == "before",
                selected={"marker": {"opacity": 1}},
                unselected={"marker": {"opacity": 1}},
            ),
            1,
            column,
        )
        chosen = marked["chosen"]
        if chosen is not None and where.has(chosen):
            x, y = where.points[side][where.places(chosen)]
            fig.add_trace(
                go.Scatter(
                    x=[x],
                    y=[y],
                    mode="markers",
                    hoverinfo="skip",
                    name="selected image",
                    legendgroup="chosen",
                    showlegend=side == "before",
                    marker={
                        "symbol": "circle-open",
                        "size": 22,
                        "color": "#D62F8B",
                        "line": {"width": 4},
                    },
                    unselected={"marker": {"opacity": 1}},
                ),
                1,
                column,
            )
    return fig.update_layout(
        height=HEIGHT,
        margin={"l": 4, "r": 4, "t": 34, "b": 4},
        dragmode="lasso",
        legend={"orientation": "h", "y": legend_y, "yanchor": "top", "itemsizing": "constant"},
        hoverlabel={"align": "left"},
    )
