"""ECharts options as dictionaries of plain numbers, shared by Live, Inspect, Compare and Learn.

Colors are Okabe and Ito's, which color-blind people can tell apart; a dash, a pattern or a symbol
repeats every difference that a color makes.
"""

from collections.abc import Sequence

import numpy as np

BEFORE = "#8797A8"  # the zero-shot model
AFTER = "#0072B2"  # the adapted model
KNOWN, UNKNOWN = "#0072B2", "#D55E00"
GREEN, PURPLE = "#009E73", "#CC79A7"
# Stripes repeat the color of unknown images.
STRIPES = {
    "symbol": "rect",
    "dashArrayX": [1, 0],
    "dashArrayY": [3, 4],
    "rotation": -0.785,
    "color": "rgba(255,255,255,0.55)",
}
# From low to high; opaque, so that text in a cell keeps its contrast.
SEQUENCE = {
    "light": ["#F3F7FA", "#BBD8EA", "#66AAD4", "#0072B2", "#00395A"],
    "dark": ["#1B2731", "#1D4560", "#1F6FA3", "#4FB0E8", "#C2E6FB"],
}
UNKNOWN_GROUP = "unknown"  # how the names of groups of unknown images end


def frame(size: int = 13, **options) -> dict:
    """The options that all charts share. size: of the text, pixels."""
    return {
        "animationDuration": 250,
        "animationDurationUpdate": 250,
        "textStyle": {"fontSize": size},
        "grid": {
            "left": 8,
            "right": 16,
            "top": 3.6 * size,
            "bottom": 2 * size,
            "containLabel": True,
        },
        "legend": {
            "top": 0,
            "left": 0,
            "itemWidth": 24,
            "itemHeight": 10,
            "textStyle": {"fontSize": size},
        },
        "tooltip": {"trigger": "axis", "confine": True, "textStyle": {"fontSize": size}},
    } | options


def axis(name: str, size: int = 13, **options) -> dict:
    """A value axis; its name is below its middle, or above it if `vertical`."""
    vertical = options.pop("vertical", False)
    # The last label would be cut off at the edge of the chart.
    label = {"fontSize": size, "hideOverlap": True, "alignMaxLabel": "right"}
    label |= options.pop("axisLabel", {})
    return {
        "type": "value",
        "name": name,
        "nameLocation": "end" if vertical else "middle",
        "nameGap": 12 if vertical else 2 * size,
        "nameTextStyle": {"fontSize": size, "align": "left" if vertical else "center"},
        "axisLabel": label,
        "splitLine": {"show": vertical, "lineStyle": {"opacity": 0.35}},
    } | options


def line(name: str, points: Sequence, color: str, **options) -> dict:
    """One curve. points: [(x, y), …]; dash: the line's pattern; area: opacity below the line."""
    style = {"color": color, "width": options.pop("width", 2.5)}
    style["type"] = options.pop("dash", "solid")
    series = {
        "type": "line",
        "name": name,
        "data": [[round(float(x), 6), round(float(y), 6)] for x, y in points],
        "showSymbol": len(points) < 2,
        "symbolSize": 7,
        "lineStyle": style,
        "itemStyle": {"color": color},
        "emphasis": {"disabled": True},
    }
    if opacity := options.pop("area", 0):
        series["areaStyle"] = {"color": color, "opacity": opacity}
    return series | options


def named_at_the_end(options: dict, size: int) -> dict:
    """The chart with the name of every curve at its end instead of a legend."""
    longest = max((len(s["name"]) for s in options["series"]), default=0)
    options["grid"] = options["grid"] | {"right": round(0.58 * size * longest) + 14}
    options["grid"]["top"] = round(2.2 * size)
    options["legend"] = {"show": False}
    drawn = [s for s in options["series"] if s["data"]]
    for series, shift in zip(drawn, _shifts(drawn, options["yAxis"], 1.2 * size), strict=True):
        color = series["itemStyle"]["color"]
        label = {"show": True, "formatter": "{a}", "color": color, "fontSize": size}
        series["endLabel"] = label | {"distance": 6, "offset": [0, shift]}
    return options


def _shifts(series: list[dict], axis: dict, gap: float, height: int = 200) -> list[float]:
    """How far down each end label is moved, so that they are `gap` pixels apart.

    height: of a small plot, pixels.
    """
    if not series:
        return []
    values = [y for s in series for _, y in s["data"]]
    low, high = axis.get("min", min(values)), axis.get("max", max(values))
    ends = np.array([s["data"][-1][1] for s in series])
    at = (high - ends) / max(high - low, 1e-9) * height  # from the top
    order, moved = np.argsort(at, kind="stable"), at.copy()
    for above, i in zip(order, order[1:], strict=False):
        moved[i] = max(moved[i], moved[above] + gap)
    return [round(float(d), 1) for d in moved - at]


def loss_chart(series: Sequence[dict], steps: int, size: int = 13, first: int = 0) -> dict:
    """The loss and its two terms, in nats, by step from `first` to `steps`."""
    of = lambda key: [(p["step"], p[key]) for p in series]  # noqa: E731
    options = frame(
        size,
        animation=False,  # a tick adds few points: animation costs more than it shows
        xAxis=axis("step", size, min=first, max=max(first + 1, steps), minInterval=1),
        yAxis=axis("nats", size, vertical=True, scale=True),
        series=[
            line("loss", of("loss"), AFTER, width=3),
            line("entropy", of("entropy"), UNKNOWN, dash="dashed"),
            line("marginal", of("marginal"), GREEN, dash="dotted", width=3),
        ],
    )
    return named_at_the_end(options, size)


def percent_chart(found: dict[str, Sequence], steps: int, size: int = 13, first: int = 0) -> dict:
    """Curves in percent by step, from `first` to `steps`; the axis spans whole tens around the data."""
    values = [v for points in found.values() for _, v in points] or [0.0, 100.0]
    low = max(0, 10 * int(np.floor(min(values) / 10 - 0.1)))
    high = min(100, 10 * int(np.ceil(max(values) / 10 + 0.1)))
    looks = ((AFTER, "solid", "circle"), (UNKNOWN, "dashed", "triangle"), (GREEN, "dotted", "rect"))
    options = frame(
        size,
        animation=False,
        xAxis=axis("step", size, min=first, max=max(first + 1, steps), minInterval=1),
        yAxis=axis("percent", size, vertical=True, min=low, max=high),
        series=[
            line(name, points, color, dash=dash, symbol=symbol, showSymbol=len(points) < 40)
            for (name, points), (color, dash, symbol) in zip(found.items(), looks, strict=False)
        ],
        tooltip={"trigger": "axis", "confine": True, "valueFormatter": "%.1f %%"},
    )
    return named_at_the_end(options, size)


def bar_chart(
    edges: Sequence[float], counts: dict[str, Sequence[int]], name: str, size: int = 13
) -> dict:
    """Stacked histogram."""
    edges = np.asarray(edges, float)
    centers = (edges[:-1] + edges[1:]) / 2
    series = []
    for group, values in counts.items():
        hatched = group.endswith(UNKNOWN_GROUP)
        series.append(
            {
                "type": "bar",
                "name": group,
                "stack": "all",
                "barWidth": "92%",
                "data": [
                    [round(float(c), 9), int(v)] for c, v in zip(centers, values, strict=True)
                ],
                "itemStyle": {"color": UNKNOWN, "decal": STRIPES}
                if hatched
                else {"color": KNOWN if len(counts) > 1 else AFTER},
            }
        )
    options = frame(
        size,
        # The range is the data's; only the round values inside it are named.
        xAxis=axis(
            name,
            size,
            min=float(edges[0]),
            max=float(edges[-1]),
            splitLine={"show": False},
            axisLabel={"showMinLabel": False, "showMaxLabel": False},
        ),
        yAxis=axis("images", size, vertical=True, minInterval=1),
        series=series,
    )
    if len(series) == 1:
        options["legend"] = {"show": False}
    return options


def hill_chart(found, size: int = 13) -> dict:
    """Densities of the score: now filled, step 0 dashed; each is named above its peak.

    The symbol at the peak repeats the color of the curves of now.

    found: Densities or None; its groups are "known", "unknown", "step 0 · known" and the like.
    """
    x, density = ([0, 1], {}) if found is None else (found.x, found.density)
    series = []
    names = peak_labels(x, density, size) if density else {}
    for group, values in density.items():
        when, divided, who = group.rpartition(" · ")
        now = when == "now" or not divided
        unknown = who.endswith(UNKNOWN_GROUP)
        color = UNKNOWN if unknown else KNOWN if who == "known" or now else BEFORE
        peak = int(np.argmax(values))
        top = {
            "symbol": "triangle" if unknown else "circle",
            "animation": False,
            "silent": True,
            "label": {"show": False},
            "data": [
                {
                    "coord": [round(float(x[peak]), 6), round(float(values[peak]), 6)],
                    "symbolSize": 11 if now else 5,
                },
                {
                    "coord": names[group],
                    "symbolSize": 0,
                    "label": {
                        "show": True,
                        "formatter": group,
                        "color": color,
                        "fontSize": size,
                        "fontWeight": "bold" if now else "normal",
                    },
                },
            ],
        }
        series.append(
            line(
                group,
                list(zip(x, values, strict=True)),
                color,
                dash="solid" if now else "dashed",
                width=3 if now else 2,
                area=0.22 if now else 0,
                showSymbol=False,
                markPoint=top,
            )
        )
    spec = frame(
        size,
        xAxis=axis(
            "MCM score, T = 1",
            size,
            min=float(x[0]),
            max=float(x[-1]),
            axisLabel={"formatter": "{value}", "showMinLabel": False, "showMaxLabel": False},
        ),
        yAxis=axis(
            "density",
            size,
            vertical=True,
            min=0,
            max=max((y for _, y in names.values()), default=1.0) * 1.06,
            axisLabel={"show": False},
            splitLine={"show": False},
        ),
        series=series,
        legend={"show": False},
        tooltip={"show": False},
    )
    spec["grid"]["top"] = round(2.2 * size)
    return spec


def peak_labels(x, density: dict, size: int, width: int = 300, height: int = 210) -> dict:
    """Places for the names of curves above their peaks, so that no name covers another.

    density: values on `x` by name. width, height: of a small plot, pixels. → name: [x, y], of the
    middle of its text; higher names keep clear of the lower ones.
    """
    low, high = float(x[0]), float(x[-1])
    top = max(float(np.max(v)) for v in density.values()) * 1.25 or 1.0
    placed: list[tuple[float, float, float]] = []  # middle and half of the width, pixels
    found = {}
    peaks = {g: int(np.argmax(v)) for g, v in density.items()}
    for group in sorted(density, key=lambda g: float(density[g][peaks[g]])):
        half = 0.29 * size * len(group)
        at = (float(x[peaks[group]]) - low) / (high - low) * width
        at = min(max(at, half), width - half)
        y = float(density[group][peaks[group]]) / top * height + 1.2 * size
        for other, level, reach in sorted(placed, key=lambda p: p[1]):
            if abs(at - other) < half + reach and abs(y - level) < 1.25 * size:
                y = level + 1.25 * size
        placed.append((at, y, half))
        found[group] = [
            round(low + at / width * (high - low), 6),
            round(y / height * top, 6),
        ]
    return found


def change_chart(
    steps: Sequence[int], layers: Sequence[str], values, theme: str, size: int = 13
) -> dict:
    """Relative parameter change by layer (rows, input at the top) over the steps (columns)."""
    values = np.asarray(values, float)
    # The prompt changes ten times as much as the image encoder: the square root shows both.
    data = [
        [x, y, round(float(values[y, x]) ** 0.5, 3), round(float(values[y, x]), 2)]
        for y in range(len(layers))
        for x in range(len(steps))
    ]
    top = max((d[2] for d in data), default=0.0) or 1.0
    label = {"fontSize": max(9, size - 3), "hideOverlap": True}
    return {
        "textStyle": {"fontSize": size},
        "animation": False,
        "grid": {"left": 8, "right": 8, "top": 40, "bottom": 26, "containLabel": True},
        "tooltip": {"confine": True, "formatter": "{@[3]} % from the start"},
        "visualMap": {
            "min": 0,
            "max": top,
            "dimension": 2,
            "calculable": False,
            "orient": "horizontal",
            "left": 0,
            "top": 0,
            "itemWidth": 12,
            "itemHeight": 110,
            "text": [f"{top**2:.1f} %", "0"],
            "inRange": {"color": SEQUENCE[theme]},
            "textStyle": {"fontSize": size},
        },
        "xAxis": {
            "type": "category",
            "data": [str(s) for s in steps],
            "name": "step",
            "nameLocation": "middle",
            "nameGap": 26,
            "axisLabel": label,
            "nameTextStyle": {"fontSize": size},
        },
        "yAxis": {"type": "category", "data": list(layers), "inverse": True, "axisLabel": label},
        "series": [{"type": "heatmap", "data": data, "encode": {"x": 0, "y": 1, "value": 2}}],
    }


def roc_chart(curves: dict, marks: dict, size: int = 13) -> dict:
    """ROC curves by side. curves: name → (FPR, TPR) in percent; marks: name → point at the threshold."""
    looks = ((BEFORE, "dashed", "rect"), (AFTER, "solid", "circle"))
    series = []
    for (name, (fpr, tpr)), (color, dash, symbol) in zip(curves.items(), looks, strict=False):
        series.append(
            line(
                name, list(zip(fpr, tpr, strict=True)), color, dash=dash, width=3, showSymbol=False
            )
        )
        if name in marks:
            series.append(
                {
                    "type": "scatter",
                    "name": f"{name}: threshold",
                    "symbol": symbol,
                    "symbolSize": 15,
                    "itemStyle": {"color": PURPLE},
                    "data": [list(marks[name])],
                }
            )
    series.append(
        line("chance", [(0, 0), (100, 100)], "#999999", dash="dotted", width=1.5, silent=True)
    )
    percent = {"min": 0, "max": 100}
    return frame(
        size,
        xAxis=axis("unknown images accepted, % (FPR)", size, **percent),
        yAxis=axis("known images accepted, % (TPR)", size, vertical=True, **percent),
        series=series,
        legend={"show": False},
        tooltip={"trigger": "item", "confine": True, "valueFormatter": "%.1f"},
    )


def class_chart(rows: Sequence, size: int = 13) -> dict:
    """Accuracy by class before (square) and after (circle) with intervals; worst change on top."""
    n = len(rows)
    series = []
    for side, color, symbol, lift in (
        ("before", BEFORE, "rect", -0.16),
        ("after", AFTER, "circle", 0.16),
    ):
        whiskers, points = [], []
        for i, row in enumerate(rows):
            y = i + 0.5 + lift
            low, high = getattr(row, f"{side}_low"), getattr(row, f"{side}_high")
            whiskers += [[round(low, 2), y], [round(high, 2), y], ["-", "-"]]
            points.append([round(getattr(row, side), 2), y])
        series += [
            {
                "type": "line",
                "name": side,
                "data": whiskers,
                "yAxisIndex": 1,
                "symbol": "none",
                "silent": True,
                "lineStyle": {"color": color, "width": 2, "opacity": 0.55},
                "itemStyle": {"color": color},
            },
            {
                "type": "scatter",
                "name": side,
                "data": points,
                "yAxisIndex": 1,
                "symbol": symbol,
                "symbolSize": 11,
                "itemStyle": {"color": color},
            },
        ]
    names = [f"{row.name} ({row.n})" for row in rows]
    return frame(
        size,
        grid={"left": 8, "right": 20, "top": 34, "bottom": 30, "containLabel": True},
        xAxis=axis("accuracy, %", size, min=0, max=100, splitLine={"lineStyle": {"opacity": 0.3}}),
        yAxis=[
            {
                "type": "category",
                "data": names,
                "inverse": True,
                "axisTick": {"show": False},
                "axisLabel": {
                    "fontSize": size,
                    "width": 170,
                    "overflow": "truncate",
                    "interval": 0,
                },
                "splitLine": {"show": True, "lineStyle": {"opacity": 0.2}},
            },
            {"type": "value", "min": 0, "max": max(1, n), "inverse": True, "show": False},
        ],
        series=series,
        tooltip={"trigger": "item", "confine": True, "formatter": "{a}: {@[0]} %"},
    )


def confusion_chart(
    cells: Sequence, rows: Sequence[str], columns: Sequence[str], theme: str, size: int = 12
) -> dict:
    """Confusion matrix: true class (rows), prediction (columns). cells: [(column, row, count, share), …].

    A cell can be selected; its index is that of `cells`. The color is the share of the row.
    """
    label = {"fontSize": size, "hideOverlap": True, "overflow": "truncate", "width": 96}
    return {
        "animation": False,
        "textStyle": {"fontSize": size},
        "grid": {"left": 8, "right": 8, "top": 8, "bottom": 8, "containLabel": True},
        "tooltip": {"confine": True, "formatter": "{@[2]} images, {@[3]} % of the row"},
        "visualMap": {
            "show": False,
            "min": 0,
            "max": 100,
            "dimension": 3,
            "inRange": {"color": SEQUENCE[theme]},
        },
        "xAxis": {
            "type": "category",
            "data": list(columns),
            "axisTick": {"show": False},
            "axisLabel": label | {"rotate": 60},
            "splitArea": {"show": False},
        },
        "yAxis": {
            "type": "category",
            "data": list(rows),
            "inverse": True,
            "axisTick": {"show": False},
            "axisLabel": label,
        },
        "series": [
            {
                "type": "heatmap",
                "selectedMode": "single",
                "cursor": "pointer",
                "data": [
                    [int(x), int(y), int(n), round(float(share), 1)] for x, y, n, share in cells
                ],
                "encode": {"x": 0, "y": 1, "value": 2},
                "label": {"show": len(columns) <= 24, "fontSize": size, "formatter": "{@[2]}"},
                "itemStyle": {"borderWidth": 1, "borderColor": "rgba(128,128,128,0.25)"},
                "select": {"itemStyle": {"borderColor": UNKNOWN, "borderWidth": 4}},
            }
        ],
    }
