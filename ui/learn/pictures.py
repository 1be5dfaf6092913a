"""The pictures of the score distributions and of the trained parameters."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from ueo_core.analysis.live_metrics import layer_title
from ueo_core.learn.link import Link
from ui.common import charts
from ui.learn import demo_cache, live, state
from ui.learn.cards import squares
from ui.learn.component import SLIDER, component

if TYPE_CHECKING:  # its module loads torch
    from ueo_core.learn.parameter_counts import Count

_SCORES = component("scores", "scores.html", ("plot.css",), (*SLIDER, "scores.js"))


def scores(link: Link, write_text: Callable[..., None]) -> None:
    """The two score distributions and a movable threshold; before playing, the known one alone.

    write_text: is called with the numbers of the sentences and the outcome
    """
    from ueo_core.learn import happened, picture_data
    from ueo_core.learn.sentence_numbers import of_scores

    now = demo_cache.all_computed()
    played = link.shows_result
    write_text(of_scores(now, link.line), happened.of_scores(now) if played else None)
    _SCORES(
        key="learn.hills",
        data=picture_data.score_data(now)
        | {
            "place": state.last_sent().line,
            "played": played,
            "movable": played and state.is_shown(link, "line"),
        },
        on_now_change=_threshold_changed,
    )


def _threshold_changed() -> None:
    now = st.session_state["learn.hills"].now or {}
    state.remember(settled=True, line=min(max(int(now.get("place", 0)), 0), 100))


def trained(link: Link, write_text: Callable[..., None]) -> None:
    """The trained parameters among all, areas to scale, and the change by layer.

    write_text: is called with the numbers of the sentences and the outcome
    """
    from ueo_core.learn import happened
    from ueo_core.learn.sentence_numbers import counts, of_trained

    now = demo_cache.demo()
    latest = live.latest_adapter()
    step, adapter = latest or (0, now.model.original)
    played = link.shows_result
    write_text(of_trained(now, step, adapter), happened.of_trained() if played else None)
    drawn = squares([_square(c, played) for c in counts(now)])
    if not played or latest is None:
        st.html(drawn)
        if played:
            live.link_to_live_run(link, "The change of each layer appears here")
        return
    left, right = st.columns([1.4, 1], gap="large")
    left.html(drawn)
    with right:
        size = round((15 if link.present else 13) * link.scale)
        _change_chart(now.change_by_layer(adapter), step, size)


def _square(c: "Count", played: bool) -> tuple[str, float | None, str]:
    """Name, trained share and caption of a model's square; before playing, only its size."""
    if not played:
        return c.name, None, f"{c.total:,} parameters"
    caption = f"{c.trained:,} of {c.total:,} parameters: {c.kilobytes:.0f}\u00a0kB"
    return c.name, c.share, caption


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
