"""The story's pictures from real images: eight drawings, the hills, what moved."""

import streamlit as st

import ueo_core as core
from ueo_core.learn import Link
from ui import charts, learn_live
from ui import learn_state as state
from ui.learn_cards import card, squares
from ui.shell import ROOT, jobs

BACKBONE = "drawings-resnet"


@st.cache_resource(show_spinner=False, max_entries=2)
def _stage(backbone: str, weights: float):
    """The teaching model on the built-in problem. weights: their time of change, so that new ones count."""
    from ueo_core.learn.drawn import open_stage

    return open_stage(backbone, core.problem())


def stage():
    """The teaching model on the built-in problem, opened once a process. UserError without weights."""
    path = ROOT / "assets" / f"{BACKBONE}.safetensors"
    changed = path.stat().st_mtime if path.is_file() else 0.0
    with st.spinner("Opening the teaching model: a few seconds, once …"):
        return _stage(BACKBONE, changed)


def eight(link: Link) -> dict:
    """Eight drawings with CLIP's answers; in the second scene the room ticks. → the sentences' numbers"""
    from ueo_core.learn.drawn import eight as choose
    from ueo_core.learn.numbers import of_eight

    now = stage()
    chosen = choose(now, link.draw)
    sure = now.sure(chosen)
    guessing = link.scene == "strangers"
    ticked = {place for place in range(8) if guessing and link.ticks >> place & 1}
    revealed = guessing and bool(link.reveal)
    if guessing:
        _reveal_bar(link)
    with st.container(horizontal=True, gap="small", key="learn-eight"):
        for place, i in enumerate(chosen):
            noun = now.problem.test[i]
            truth = noun if now.truth[i] >= 0 else f"stranger: {noun}"
            with st.container(key=f"learn-card-{place}", gap="xsmall"):
                st.html(
                    card(
                        now.problem.image("test", i),
                        place + 1,
                        now.answer(i),
                        float(sure[place]),
                        truth if revealed else None,
                        place in ticked,
                    )
                )
                if guessing:
                    st.button(
                        "Stranger" if place in ticked else "Known",
                        icon=":material/check_box:"
                        if place in ticked
                        else ":material/check_box_outline_blank:",
                        shortcut=str(place + 1),
                        key=f"learn.tick.{place}",
                        width="stretch",
                        on_click=_tick,
                        args=(place,),
                    )
    if state.shown(link, "seed"):
        st.button(
            "Eight others",
            icon=":material/casino:",
            shortcut="B",
            key="learn.others",
            on_click=lambda: state.change(draw=(link.draw + 1) % 1000, ticks=0, reveal=0),
        )
    numbers = of_eight(now, link.draw, link.ticks, revealed)
    # While the room looks at the eight, the scenes after this one get ready.
    jobs().start("learn-all", "The drawings of the story", lambda job: now.cosines)
    return numbers


def _reveal_bar(link: Link) -> None:
    if state.shown(link, "reveal"):
        st.button(
            "Hide again" if link.reveal else "Reveal",
            icon=":material/visibility_off:" if link.reveal else ":material/visibility:",
            type="primary",
            shortcut="V",
            key="learn.reveal",
            on_click=lambda: state.change(reveal=1 - link.reveal),
        )


def _tick(place: int) -> None:
    link = state.load()
    state.change(ticks=link.ticks ^ (1 << place))


def hills(link: Link) -> dict:
    """The two hills and a line that can be moved. → the sentences' numbers"""
    from ueo_core.learn.drawn import draw_line, two_hills
    from ueo_core.learn.numbers import of_hills

    now = stage()
    with st.spinner("Looking at every drawing: a few seconds, once …"):
        line = draw_line(now, link.line)
    found = two_hills(now)
    size = round(15 * float(link.size))
    st.echarts_chart(
        charts.hill_chart(
            found,
            size,
            "score: fits its best class (MCM, T = 1)",
            (line.threshold, f"{line.kept:.0f} % →"),
        ),
        key="learn.hills",
        height=round(430 * float(link.size) ** 0.5),
        alt=f"Two hills of scores, known and unknown; AUC {now.auc:.0f} percent. The line keeps "
        f"{line.kept:.0f} percent of the known and lets {line.passed:.0f} percent of the strangers in.",
    )
    st.slider(
        "Known drawings that fall below the line, %",
        0,
        100,
        key=state.key("line"),
        on_change=state.take,
        args=("line",),
    )
    return of_hills(now, link.line)


def moved(link: Link) -> dict:
    """The trained numbers among all, areas to scale, and the change by layer. → the sentences' numbers"""
    from ueo_core.learn.numbers import counts, of_moved

    now = stage()
    latest = learn_live.latest_delta()
    step, delta = latest or (0, now.model.original)
    left, right = st.columns([1.5, 1], gap="large")
    left.html(
        squares(
            [
                (c.name, c.share, f"{c.trained:,} of {c.total:,} numbers: {c.kilobytes:.0f} kB")
                for c in counts(now)
            ]
        )
    )
    with right:
        if latest:
            _change_chart(now.change_by_layer(delta), step, round(13 * float(link.size)))
        else:
            st.info("The change of each layer appears here once the live run has taken a step.")
    return of_moved(now, step, delta)


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
        height=60 + round(1.5 * size * len(names)),
        alt=f"Relative change of each trained layer; largest: {max(names, key=lambda n: change[n])}.",
    )
