"""The story's pictures from real images: the hills, and what moved."""

import streamlit as st

from ueo_core.learn.link import Link
from ui.common import charts
from ui.learn import live, stage_cache, state
from ui.learn.cards import squares
from ui.learn.script import SLIDING, picture

_HILLS = picture("hills", "hills.html", ("plot.css",), (*SLIDING, "hills.js"))


def hills(link: Link, say) -> None:
    """The two hills and a line that can be moved. say: takes the sentences' numbers."""
    from ueo_core.learn import pictures
    from ueo_core.learn.sentence_numbers import of_hills

    now = stage_cache.seen_all()
    say(of_hills(now, link.line))
    _HILLS(
        key="learn.hills",
        data=pictures.hills(now)
        | {"place": state.sent().line, "movable": state.shown(link, "line")},
        on_now_change=_moved_line,
    )


def _moved_line() -> None:
    now = st.session_state["learn.hills"].now or {}
    state.note(settled=True, line=min(max(int(now.get("place", 0)), 0), 100))


def moved(link: Link, say) -> None:
    """The trained numbers among all, areas to scale, and the change by layer. say: takes the numbers."""
    from ueo_core.learn.sentence_numbers import counts, of_moved

    now = stage_cache.stage()
    latest = live.latest_adapter()
    step, adapter = latest or (0, now.model.original)
    say(of_moved(now, step, adapter))
    left, right = st.columns([1.5, 1], gap="large")
    left.html(
        squares(
            [
                (
                    c.name,
                    c.share,
                    f"{c.trained:,} of {c.total:,} numbers: {c.kilobytes:.0f}\u00a0kB",
                )
                for c in counts(now)
            ]
        )
    )
    with right:
        if latest:
            size = round((10 if link.present else 13) * link.scale)
            _change_chart(now.change_by_layer(adapter), step, size)
        else:
            live.way_there(link, "The change of each layer appears")


def _change_chart(change: dict[str, float], step: int, size: int) -> None:
    names = list(change)
    st.markdown(f"**Change of each layer at step {step}, % of its size**")
    spec = charts.frame(
        size,
        grid={"left": 8, "right": 40, "top": 8, "bottom": 30, "containLabel": True},
        xAxis=charts.axis("%", size, min=0),
        yAxis={
            "type": "category",
            "data": names,
            "inverse": True,
            "axisLabel": {"fontSize": size, "interval": 0},
        },
        series=[
            {
                "type": "bar",
                "name": "change",
                "data": [round(100 * change[n], 3) for n in names],
                "itemStyle": {"color": charts.AFTER},
            }
        ],
        legend={"show": False},
    )
    st.echarts_chart(
        spec,
        key="learn.change",
        height=min(60 + round(1.5 * size * len(names)), 430),  # on a projector of 768 lines
        alt=f"Relative change of each trained layer; largest: {max(names, key=lambda n: change[n])}.",
    )
