"""Anatomy of one image: from cosines to weight and OOD score, zero-shot and adapted."""

import numpy as np
import streamlit as st

import ueo_core as core
from ueo_core.learn import Link
from ui import charts, learn_live, learn_pictures
from ui import learn_state as state
from ui.learn_cards import STYLE, bars, image_url
from ui.plain import escaped

SHOWN = 8  # classes in the bars, the likeliest first


def show(link: Link) -> None:
    """Choose or drop an image, turn the temperature, see what becomes of it."""
    st.html(STYLE)
    st.markdown("## One image, from cosines to weight")
    try:
        stage = learn_pictures.stage()
    except core.UserError as error:
        st.error(str(error))
        return
    st.fragment(_anatomy, key="learn.anatomy")(stage)


def _anatomy(stage) -> None:
    from ueo_core.learn.anatomy import dissect

    link = state.load()
    latest = learn_live.latest_delta()
    sides = [("Zero-shot", None)]
    if latest:
        sides.append((f"Adapted, step {latest[0]}", latest[1]))
    with st.container(border=True):
        temperature = st.slider(
            f"Temperature T of the softmax: 1 is scaled (logits × {stage.scale:.0f}), {stage.scale:.0f} is "
            "released (plain cosines)",
            1.0,
            float(round(stage.scale, 1)),
            step=0.1,
            key=_temperature_key(stage),
            on_change=state.take,
            args=("temperature",),
        )
    left, middle, right = st.columns([1.1, 1.6, 1.6], gap="medium")
    with left:
        pixels, caption = _choose(link, stage)
    columns = (middle, right)
    for column, (title, delta) in zip(columns, sides, strict=False):
        cosines = _cosines(stage, pixels, delta, caption, latest[0] if delta else 0)
        with column:
            _side(title, dissect(cosines, stage.scale, temperature), stage)
    if not latest:
        right.info(
            "The adapted side appears once the live run of the story has taken a step.",
            icon=":material/info:",
        )
        right.button("Go to the live run", on_click=_go_live, key="learn.to_live")
    _trap(stage, temperature, round(13 * float(link.size)))


def _go_live() -> None:
    from ui.learn_story import go

    go("live")


def _temperature_key(stage) -> str:
    """The slider's key, its value brought into the range of this model first."""
    key = state.key("temperature")
    st.session_state[key] = min(float(st.session_state[key]), float(round(stage.scale, 1)))
    return key


def _choose(link: Link, stage) -> tuple[np.ndarray, str]:
    """A drawing of the test set or a dropped image. → pixels, what it is"""
    from ueo_core.learn.anatomy import from_upload

    dropped = st.file_uploader(
        "Drop an image, or choose a drawing",
        type=["png", "jpg", "jpeg", "webp", "gif", "bmp"],
        max_upload_size=20,
        key="learn.drop",
    )
    if dropped is not None:
        try:
            pixels = from_upload(dropped.name, dropped.getvalue())
            st.image(pixels, width=220, caption="Your image", alt="Your image")
            return pixels, f"dropped-{dropped.file_id}"
        except core.UserError as error:
            st.error(str(error))
    n = len(stage.problem.test)
    i = link.picked % n
    with st.container(horizontal=True):
        for label, by, shortcut in (("Previous", -1, "K"), ("Next drawing", 1, "L")):
            st.button(
                label,
                shortcut=shortcut,
                key=f"learn.pick.{by}",
                on_click=lambda by=by: state.change(picked=(i + by * 7) % n),
            )
    noun = stage.problem.test[i]
    kind = "one of the classes" if stage.truth[i] >= 0 else "a stranger: none of the classes"
    st.html(
        f'<img src="{image_url(stage.problem.image("test", i))}" style="width:220px;max-width:100%" alt="Drawing of {escaped(noun)}">'
        f"<p><b>{escaped(noun)}</b>, {kind}</p>"
    )
    return stage.pixels(i), f"drawing-{i}"


def _cosines(stage, pixels: np.ndarray, delta, image: str, step: int) -> np.ndarray:
    """Cosines of an image under a side, kept for the session: a temperature needs no network."""
    kept = st.session_state.setdefault("learn.cosines", {})
    key = (image, learn_live.current() if delta else None, step)
    if key not in kept:
        if len(kept) > 40:
            kept.clear()
        kept[key] = stage.cosines_of(pixels, delta)
    return kept[key]


def _side(title: str, found, stage) -> None:
    """One model's view: cosines, probabilities, entropy, w and 1/w."""
    order = np.argsort(-found.cosines)[:SHOWN]
    names = [stage.problem.classes[c] for c in order]
    c = len(found.cosines)
    st.markdown(f"**{title}**: says *{names[0]}*")
    st.caption("Cosine with each class's sentence")
    rows = [
        (n, float(found.cosines[k]), f"{found.cosines[k]:.3f}")
        for n, k in zip(names, order, strict=True)
    ]
    st.html(bars(rows, max(0.05, float(found.cosines.max())), charts.BEFORE, 0))
    st.caption("Softmax at this temperature")
    rows = [
        (n, float(found.probabilities[k]), f"{100 * found.probabilities[k]:.1f} %")
        for n, k in zip(names, order, strict=True)
    ]
    st.html(bars(rows, 1.0, charts.AFTER, 0))
    st.caption(f"Doubt and weights ({c} classes: entropy at most {np.log(c):.2f}, 1/w at most {c})")
    st.html(
        bars(
            [
                ("entropy", found.entropy / np.log(c), f"{found.entropy:.2f} nats"),
                ("w", found.weight, f"{found.weight:.3f}"),
                ("1/w", found.inverse / c, f"{found.inverse:.2f}"),
            ],
            1.0,
            charts.GREEN,
            -1,
        )
    )


def _trap(stage, temperature: float, size: int) -> None:
    """What the temperature does to all weights and to the score, with the trap told."""
    with st.spinner("Looking at every drawing: a few seconds, once …"):
        found = stage.sweep
    c = len(stage.problem.classes)
    st.markdown("### What the temperature does to every image")
    st.markdown(
        f"Leave out the surest and the least sure tenth of the test drawings: at T = 1 the weights of the others "
        f"differ by up to {found.high[0] / found.low[0]:.2f}×, at T = {stage.scale:.0f}, plain cosines, by "
        f"{found.high[-1] / found.low[-1]:.2f}×. That is the trap in the released script: its weights come from plain "
        "cosines, and the more alike weights are, the more UEO is InfoMax. "
        f"The AUC of the same softmax as a score goes from {found.auc[0]:.1f} to {found.auc[-1]:.1f} %."
    )
    left, right = st.columns(2, gap="medium")
    mark = {"markLine": charts.upright(temperature, f"T = {temperature:.1f}", size)}
    x = charts.axis(
        "temperature T", size, type="log", min=1, max=float(round(found.temperatures[-1], 1))
    )
    curve = lambda y: list(zip(found.temperatures, y, strict=True))  # noqa: E731
    with left:
        st.markdown("**Weight w times the number of classes**")
        st.echarts_chart(
            charts.frame(
                size,
                xAxis=x,
                yAxis=charts.axis("", size, vertical=True, min=0, max=c),
                series=[
                    charts.line(
                        "surest tenth",
                        curve(found.high),
                        charts.AFTER,
                        dash="dashed",
                        showSymbol=False,
                    ),
                    charts.line(
                        "median", curve(found.middle), charts.AFTER, width=3, showSymbol=False
                    )
                    | mark,
                    charts.line(
                        "least sure tenth",
                        curve(found.low),
                        charts.AFTER,
                        dash="dotted",
                        showSymbol=False,
                    ),
                ],
            ),
            key="learn.trap.weights",
            height=300,
            alt=f"Weights times {c} over the temperature: at 1 from {found.low[0]:.1f} to {found.high[0]:.1f}, at the "
            f"logit scale from {found.low[-1]:.2f} to {found.high[-1]:.2f}.",
        )
    with right:
        st.markdown("**AUC of the largest softmax as a score, %**")
        st.echarts_chart(
            charts.frame(
                size,
                xAxis=x,
                yAxis=charts.axis("", size, vertical=True, scale=True),
                series=[
                    charts.line(
                        "AUC of the largest softmax",
                        curve(found.auc),
                        charts.UNKNOWN,
                        width=3,
                        showSymbol=False,
                    )
                    | mark
                ],
            ),
            key="learn.trap.auc",
            height=300,
            alt=f"AUC over the temperature, from {found.auc[0]:.1f} to {found.auc[-1]:.1f} percent.",
        )
