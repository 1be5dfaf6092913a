"""Anatomy of one image: from cosines to weight and OOD score, zero-shot and adapted."""

import numpy as np
import streamlit as st

import ueo_core as core
from ueo_core.learn import Link
from ui import charts, learn_live, learn_pictures
from ui import learn_state as state
from ui.learn_cards import STYLE, bars, image_url
from ui.plain import escaped

SHOWN = 6  # classes in the bars, the likeliest first


def show(link: Link) -> None:
    """Choose or drop an image, turn the temperature, see what becomes of it."""
    st.html(STYLE)
    st.markdown("## One image, from cosines to weight")
    try:
        stage = learn_pictures.seen_all()
    except core.UserError as error:
        st.error(str(error))
        return
    st.fragment(_anatomy, key="learn.anatomy")(stage)


def _anatomy(stage) -> None:
    """The image; what the temperature makes of it is a fragment within, which a slider redraws alone."""
    link = state.load()
    left, right = st.columns([1, 3.4], gap="medium")
    with left:
        pixels, image = _choose(link, stage)
    latest = learn_live.latest_delta()
    sides = {"Zero-shot": _cosines(stage, pixels, None, image, 0)}
    if latest:
        step, delta = latest
        sides[f"Adapted, step {step}"] = _cosines(stage, pixels, delta, image, step)
    else:
        with left:
            learn_live.way_there(link, "The adapted side appears")
    with right:
        st.fragment(_temperature, key="learn.temperatures")(stage, sides)


def _temperature(stage, sides: dict[str, np.ndarray]) -> None:
    from ueo_core.learn.anatomy import dissect

    link, released = state.load(), float(round(stage.scale, 1))
    key = state.key("temperature")
    # A link may ask for more than this model's own scale.
    temperature = st.session_state[key] = min(float(link.temperature), released)
    if state.shown(link, "zoom"):
        temperature = st.slider(
            f"Temperature T of the softmax: 1 is scaled (logits × {stage.scale:.0f}), {released:g} is "
            "released (plain cosines)",
            1.0,
            released,
            step=0.1,
            key=key,
            on_change=state.take,
            args=("temperature",),
        )
    parts = [
        _side(title, dissect(cosines, stage.scale, temperature), stage)
        for title, cosines in sides.items()
    ]
    st.html(f'<div class="learn-sides">{"".join(parts)}</div>')
    _trap(stage, temperature, round(13 * link.scale))


def _choose(link: Link, stage) -> tuple[np.ndarray, str]:
    """A drawing of the test set or a dropped image. → pixels, what it is"""
    from ueo_core.learn.anatomy import from_upload

    dropped = None
    if state.shown(link, "drop"):
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
    if state.shown(link, "pick"):
        with st.container(horizontal=True):
            for label, by, shortcut in (("Previous", -7, "K"), ("Next drawing", 7, "L")):
                st.button(
                    label,
                    shortcut=shortcut,
                    key=f"learn.pick.{by}",
                    on_click=lambda by=by: state.change(picked=(i + by) % n),
                )
    noun = stage.problem.test[i]
    kind = "one of the classes" if stage.truth[i] >= 0 else "a stranger: none of the classes"
    st.html(
        f'<img src="{image_url(stage.image(i))}" style="width:100%;max-width:18rem;'
        f'border-radius:0.5rem" alt="Drawing of {escaped(noun)}"><p><b>{escaped(noun)}</b>, {kind}</p>'
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


def _side(title: str, found, stage) -> str:
    """One model's view as HTML: cosines, probabilities, entropy, w and 1/w."""
    order = np.argsort(-found.cosines)[:SHOWN]
    c = len(found.cosines)
    names = [stage.problem.classes[k] for k in order]
    cosines = [
        (n, float(found.cosines[k]), f"{found.cosines[k]:.3f}")
        for n, k in zip(names, order, strict=True)
    ]
    shares = [
        (n, float(found.probabilities[k]), f"{100 * found.probabilities[k]:.1f} %")
        for n, k in zip(names, order, strict=True)
    ]
    doubt = [
        ("entropy", found.entropy / np.log(c), f"{found.entropy:.2f} nats"),
        ("w", found.weight, f"{found.weight:.3f}"),
        ("1/w", found.inverse / c, f"{found.inverse:.2f}"),
    ]
    return (
        f"<section><h4>{escaped(title)}: says <i>{escaped(names[0])}</i></h4>"
        f"<p>Cosine with each class's sentence, the closest {len(names)}</p>"
        + bars(cosines, max(0.05, float(found.cosines.max())), charts.BEFORE, 0)
        + "<p>Softmax at this temperature</p>"
        + bars(shares, 1.0, charts.AFTER, 0)
        + f"<p>Doubt and weights (with {c} classes: entropy at most {np.log(c):.2f}, 1/w at most {c})</p>"
        + bars(doubt, 1.0, charts.GREEN, -1)
        + "</section>"
    )


def _trap(stage, temperature: float, size: int) -> None:
    """What the temperature does to all weights and to the score, with the trap told."""
    found, c = stage.sweep, len(stage.problem.classes)
    st.markdown(
        "### What the temperature does to every image\n\n"
        f"Leave out the surest and the least sure tenth of the test drawings: at T = 1 the weights of the others "
        f"differ by up to {found.high[0] / found.low[0]:.2f}×, at T = {stage.scale:.0f}, plain cosines, by "
        f"{found.high[-1] / found.low[-1]:.2f}×. That is the trap in the released script: its weights come from plain "
        "cosines, and the more alike weights are, the more UEO is InfoMax. "
        f"The AUC of the same softmax as a score goes from {found.auc[0]:.1f} to {found.auc[-1]:.1f} %."
    )
    left, right = st.columns(2, gap="medium")
    tenths = {
        "surest tenth": (found.high, "dashed"),
        "median": (found.middle, "solid"),
        "least sure tenth": (found.low, "dotted"),
    }
    weights = [_curve(found, name, y, charts.AFTER, dash) for name, (y, dash) in tenths.items()]
    left.echarts_chart(
        _over(
            found, "Weight w times the number of classes", weights, temperature, size, min=0, max=c
        ),
        key="learn.trap.weights",
        height=320,
        alt=f"Weights times {c} over the temperature: at 1 from {found.low[0]:.1f} to {found.high[0]:.1f}, at the "
        f"logit scale from {found.low[-1]:.2f} to {found.high[-1]:.2f}.",
    )
    area = [_curve(found, "AUC of the largest softmax as a score, %", found.auc, charts.UNKNOWN)]
    right.echarts_chart(
        _over(found, "", area, temperature, size, scale=True),
        key="learn.trap.auc",
        height=320,
        alt=f"AUC over the temperature, from {found.auc[0]:.1f} to {found.auc[-1]:.1f} percent.",
    )


def _curve(found, name: str, y, colour: str, dash: str = "solid") -> dict:
    points = list(zip(found.temperatures, y, strict=True))
    return charts.line(name, points, colour, dash=dash, width=3, showSymbol=False)


def _over(found, name: str, curves: list[dict], temperature: float, size: int, **y) -> dict:
    """Curves over the temperature, with the one that is chosen marked."""
    curves[0]["markLine"] = charts.upright(temperature, f"T = {temperature:.1f}", size)
    top = float(round(found.temperatures[-1], 1))
    return charts.frame(
        size,
        grid={"left": 8, "right": 16, "top": 5.4 * size, "bottom": 2 * size, "containLabel": True},
        xAxis=charts.axis("temperature T", size, type="log", min=1, max=top),
        yAxis=charts.axis(name, size, vertical=True, **y),
        series=curves,
    )
