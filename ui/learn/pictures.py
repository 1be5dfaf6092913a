"""The pictures of the score distributions and of the trained parameters."""

from collections.abc import Callable

import streamlit as st

from ueo_core.analysis.live_metrics import layer_title
from ueo_core.learn.link import Link
from ui.common import charts
from ui.learn import demo_cache, live, state
from ui.learn.cards import squares
from ui.learn.component import SLIDER, component

_SCORES = component("scores", "scores.html", ("plot.css",), (*SLIDER, "scores.js"))


def scores(link: Link, write_text: Callable[[dict], None]) -> None:
    """The two score distributions and a movable threshold.

    write_text: is called with the numbers of the sentences
    """
    from ueo_core.learn import picture_data
    from ueo_core.learn.sentence_numbers import of_scores

    now = demo_cache.all_computed()
    write_text(of_scores(now, link.line))
    _SCORES(
        key="learn.hills",
        data=picture_data.score_data(now)
        | {"place": state.last_sent().line, "movable": state.is_shown(link, "line")},
        on_now_change=_threshold_changed,
    )


def _threshold_changed() -> None:
    now = st.session_state["learn.hills"].now or {}
    state.remember(settled=True, line=min(max(int(now.get("place", 0)), 0), 100))


def trained(link: Link, write_text: Callable[[dict], None]) -> None:
    """The trained parameters among all, areas to scale, and the change by layer.

    write_text: is called with the numbers of the sentences
    """
    from ueo_core.learn.sentence_numbers import counts, of_trained

    now = demo_cache.demo()
    latest = live.latest_adapter()
    step, adapter = latest or (0, now.model.original)
    write_text(of_trained(now, step, adapter))
    left, right = st.columns([1.5, 1], gap="large")
    left.html(
        squares(
            [
                (
                    c.name,
                    c.share,
                    f"{c.trained:,} of {c.total:,} parameters: {c.kilobytes:.0f}\u00a0kB",
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
            live.link_to_live_run(link, "The change of each layer appears here")


def _change_chart(change: dict[str, float], step: int, size: int) -> None:
    names = [layer_title(name) for name in change]
    values = list(change.values())
    st.markdown(f"**Relative change of each layer at step {step}, %**")
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
                "data": [round(100 * v, 3) for v in values],
                "itemStyle": {"color": charts.AFTER},
            }
        ],
        legend={"show": False},
    )
    st.echarts_chart(
        spec,
        key="learn.change",
        height=min(60 + round(1.5 * size * len(names)), 430),  # fits a projector with 768 lines
        alt=f"Relative change of each trained layer; largest: {layer_title(max(change, key=change.__getitem__))}.",
    )
