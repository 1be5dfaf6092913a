"""The panels of the Live page; charts keep their place and identity from tick to tick."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import streamlit as st

from ueo_core.analysis import histograms
from ueo_core.analysis.live_metrics import (
    borderline_images,
    change_by_layer,
    has_labels,
    progress_signs,
    score_densities,
    weight_bars,
    within,
)
from ueo_core.config.methods import METHODS
from ueo_core.config.settings import Settings
from ueo_core.runs.downsample import decimated
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.snapshot import Snapshot
from ueo_core.runs.stored import DamagedRun
from ui.common import charts, thumbs
from ui.common.learn_link import titled
from ui.common.text import escaped
from ui.live.view_options import View

HEIGHT = 300
SMALL, LARGE = 13, 20  # text of charts on a screen and on a projector, pixels
LARGE_HEIGHT = 430
# Points of a curve about 450 pixels wide. Streamlit inspects every value it sends while the
# training waits: 1,500 points took a third of a tick.
CURVE = 400
PRESENT = """<style>
[data-testid="stSidebar"], [data-testid="stSidebarCollapsedControl"], [data-testid="stExpandSidebarButton"] { display: none; }
[data-testid="stMainBlockContainer"] { max-width: none; padding-top: 4rem; }
[data-testid="stCaptionContainer"] p, [data-testid="stAlert"] :is(p, li) { font-size: 1.2rem; }
.st-key-live-grid-20 [data-testid="stMarkdownContainer"] strong { font-size: 1.45rem; }
@media (min-width: 1400px) {
  .st-key-live-controls p, [data-testid="stProgress"] p { font-size: 1.25rem; }
}
.ueo-thumb { width: 10.5rem; font-size: 1.1rem; }
</style>"""
KEPT = 64  # charts that viewers share: those of a few runs, views and themes
_made: dict[tuple, Any] = {}
SETS = {"pool": "pool", "holdout": "test set"}


@dataclass(frozen=True)
class Facts:
    """What stays the same during a run."""

    classes: tuple[str, ...]
    settings: Settings
    references: dict  # image sets by name
    labels: dict  # for colors and tick marks only


@dataclass(frozen=True)
class Panel:
    """The data of a panel."""

    now: Snapshot
    shown: Snapshot  # `now` with only the chosen steps in the curves
    about: Facts
    view: View
    size: int  # of the text, pixels
    theme: str

    @property
    def height(self) -> int:
        return HEIGHT if self.size < LARGE else LARGE_HEIGHT

    @property
    def steps(self) -> tuple[int, int]:
        """Ends of the step axis: those chosen, else 0 and where the run ends or was stopped."""
        if self.view.last is not None:
            return self.view.first, self.view.last
        return 0, self.now.step if self.now.state == "finished" else self.now.steps


@lru_cache(maxsize=8)
def facts(path: str) -> Facts:
    """A run's settings, image sets and labels, read once; no labels where they are damaged."""
    folder = RunFolder(path)
    config = folder.config
    references = {name: config[name] for name in SETS if config[name]}
    try:
        labels = folder.labels()
    except DamagedRun:  # here they only color points
        labels = {}
    return Facts(tuple(config["classes"]), folder.settings, references, labels)


def draw(now: Snapshot, about: Facts, view: View, theme: str) -> None:
    """All panels, or those of the presentation in large text; then the borderline images."""
    names, size, width = tuple(PANELS), SMALL, 330
    if view.present:
        names, size, width = view.panels, LARGE, 420
    shown = within(now, view.first, view.last)
    grid = st.grid(3, min_column_width=width, gap="medium", key=f"live-grid-{size}")
    for name in names:
        with grid.cell():
            PANELS[name](Panel(now, shown, about, view, size, theme))
    _borderline_images(now, about)


def _heading(title: str, topic: str | None = None) -> None:
    """A panel's title. topic: of its "why?" link."""
    titled(f"**{title}**", topic) if topic else st.markdown(f"**{title}**")


def _shared(panel: Panel, name: str, make: Callable[[], Any]) -> Any:
    """What `make()` gives for this state of the run and this view, made once for all viewers."""
    now, view = panel.now, panel.view
    state = (now.run, now.state, now.step, len(now.series), len(now.evaluations), len(now.weights))
    key = (*state, view.first, view.last, panel.size, panel.theme, name)
    if key not in _made:
        _made[key] = make()
        for old in list(_made)[:-KEPT]:
            _made.pop(old, None)
    return _made.get(key) or make()


def _chart(panel: Panel, name: str, make: Callable[[], dict], alt: str) -> None:
    """A chart with a fixed identity; its legend is not clickable, as the next tick would undo it."""
    spec = _shared(panel, name, make)
    if "legend" in spec:
        spec["legend"]["selectedMode"] = False
    st.echarts_chart(spec, key=f"live-{name}-{panel.size}", height=panel.height, alt=alt)


def _loss(panel: Panel) -> None:
    about, size = panel.about, panel.size
    first, last = panel.steps
    _heading("Loss and its two terms", "loss")
    _chart(
        panel,
        "loss",
        lambda: charts.loss_chart(decimated(panel.shown.series, points=CURVE), last, size, first),
        "Line chart of the loss, the weighted entropy per image and the marginal entropy.",
    )
    method = METHODS[about.settings.method]
    trade = method.trade(about.settings.trade)
    if method.loss:
        text = f"The loss of {method.title} is {method.loss}; the two entropies are shown for comparison."
    elif trade:
        text = (
            "The dashed line should fall: confident images become more confident. The dotted line should "
            f"stay high: predictions stay spread over the classes. Loss = dashed − {trade:g} × dotted."
        )
    else:
        text = (
            "The loss is the dashed line alone. Nothing keeps the dotted line high; if it falls, all "
            "images get the same prediction."
        )
    st.caption(text)


def _score_distributions(panel: Panel) -> None:
    now, about, size = panel.now, panel.about, panel.size
    _heading("Score distributions, now and at step 0", "scores")
    (found,) = _shared(panel, "densities", lambda: (score_densities(now),))
    lowest = 1 / len(about.classes)
    _chart(
        panel,
        "hills",
        lambda: charts.hill_chart(found, size),
        "Densities of the MCM score of the probe images, now and at step 0.",
    )
    if found is None:
        text = "Appears once every image has been measured."
    elif now.evaluations[-1]["ood"]:
        text = (
            f"The blue curve (●, known) should move right, away from the orange one (▲, unknown). "
            f"Shown: {_probe(now, about)}. MCM: largest softmax of the unscaled cosines, T = 1; "
            f"with {len(about.classes)} classes it is never below {lowest:.4f}."
        )
    else:
        text = (
            f"Two peaks suggest that the pool contains unknown images. Shown: {_probe(now, about)}. MCM: largest "
            f"softmax of the unscaled cosines, T = 1; with {len(about.classes)} classes it is never "
            f"below {lowest:.4f}."
        )
    st.caption(text)


def _metrics_by_epoch(panel: Panel) -> None:
    now, about, size = panel.now, panel.about, panel.size
    labeled = has_labels(now)
    unscored = not now.evaluations
    title = "Metrics by epoch" if labeled or unscored else "Indicators without labels, by epoch"
    _heading(title if unscored else f"{title} · {_probe(now, about)}")
    first, last = panel.steps
    _chart(
        panel,
        "signs",
        lambda: charts.percent_chart(
            progress_signs(panel.shown, len(about.classes)) if panel.shown.evaluations else {},
            last,
            size,
            first,
        ),
        "Line chart by step of accuracy, AUC and HM, or of indicators that need no labels.",
    )
    if labeled:
        text = (
            "ACC: mean accuracy of the classes; AUC: known against unknown by MCM, T = 1; HM: their "
            f"harmonic mean.{_sampled(now, about)} Labels are used for scoring, never for training. The "
            "axis may not start at 0."
        )
    elif unscored:
        text = "Appears with the first evaluation."
    else:
        text = (
            "Same prediction: unchanged since step 0. Spread: entropy of the mean prediction; near 0, all "
            "predictions are one class (collapse). Uncertainty: mean entropy as a share of log C."
            f"{_sampled(now, about)} The axis may not start at 0."
        )
    st.caption(text)


def _weights(panel: Panel) -> None:
    now, about, size = panel.now, panel.about, panel.size
    _heading("Image weights, fixed before step 1", "weights")
    (found,) = _shared(panel, "bars", lambda: (weight_bars(now),))
    if found is None:
        text = "Appears after the measurement."
    else:
        low, high = float(found.edges[0]), float(found.edges[-1])
        digits = histograms.digits(low, high)
        scaled = about.settings.weight_temperature == "scaled"
        text = (
            f"Range of the data: {low:.{digits}f} to {high:.{digits}f}. w(x) is the largest "
            f"softmax of the zero-shot model, {'at its logit scale' if scaled else 'on unscaled cosines, T = 1'}."
        )
        if not METHODS[about.settings.method].weighted:
            text += f" {METHODS[about.settings.method].title} does not use them: every image has the same weight."
    edges, counts = (found.edges, found.counts) if found else ([0, 1], {})
    _chart(
        panel,
        "weights",
        lambda: charts.bar_chart(edges, counts, "w(x)", size),
        "Histogram of the sample weights.",
    )
    st.caption(text)


def _change(panel: Panel) -> None:
    size = panel.size
    _heading("Change by layer", "trained")
    _chart(
        panel,
        "change",
        lambda: charts.change_chart(*change_by_layer(panel.shown), panel.theme, size),
        "Heat map of the relative parameter change by layer and step.",
    )
    st.caption(
        "Prompt context first, then the image encoder from input to output, every layer's weight and bias together. ‖v − v₀‖ / ‖v₀‖ in "
        "percent, on a square-root color scale so that small changes stay visible."
    )


def _batch(panel: Panel) -> None:
    last_batch(panel.now, panel.about)


def last_batch(now: Snapshot, about: Facts) -> None:
    """The images of a run's last batch with the highest and the lowest weight; Learn shows them, too."""
    _heading("Last batch: highest and lowest weights")
    rows = []
    weighted = METHODS[about.settings.method].weighted
    for title, key in (("Highest weight", "most"), ("Lowest weight", "least")):
        cards = [
            thumbs.card(about.references["pool"], i, _weight_lines(now, i, weighted))
            for i in now.batch.get(key, ())
        ]
        rows.append(f"<p>{title if weighted else 'Examples'}</p>{thumbs.strip(cards)}")
    empty = "<p>Appears with the first step.</p>"
    st.html(f'<div class="ueo-small">{"".join(rows) if now.batch else empty}</div>')


def _weight_lines(now: Snapshot, index: int, weighted: bool) -> list[str]:
    if not weighted:
        return ["w = 1"]
    return [f"w = {now.weights[index]:.3f}"] if index < len(now.weights) else []


def _borderline_images(now: Snapshot, about: Facts) -> None:
    found = borderline_images(now)
    changed = sum(image.changed for image in found)
    count = f": {changed} of {len(found)} predictions changed" if found else ""
    _heading(f"Borderline images{count}")
    if not found:
        st.html("<p>Appear after the measurement.</p>")
        return
    where = now.evaluations[-1]["set"]
    labels = about.labels.get(where)
    cards = []
    for image in found:
        label = labels[image.image] if labels else None
        lines = [_prediction(image.now, label, about, f" {100 * image.confidence:.0f} %")]
        if image.changed:
            lines.append(f'<span class="was">was {escaped(image.before)}</span>')
        if label is not None and image.now != label:
            truth = label if label in about.classes else f"{label} (unknown)"
            lines.append(f'<span class="was">true class: {escaped(truth)}</span>')
        cards.append(thumbs.card(about.references[where], image.image, lines, image.changed))
    st.html(thumbs.strip(cards))
    st.caption(
        "A fixed sample of images whose prediction was uncertain at step 0, each with its current "
        "prediction and confidence (largest softmax at the logit scale); a dashed frame marks a "
        "prediction that differs from step 0."
    )


def _prediction(prediction: str, label: str | None, about: Facts, more: str) -> str:
    # No class is right for an unknown image: neither tick nor cross.
    kind = "" if label not in about.classes else "good" if prediction == label else "bad"
    return f'<span class="tag {kind}">{escaped(prediction)}</span>{more}'


def _probe(now: Snapshot, about: Facts) -> str:
    """The images that are scored at every epoch."""
    event = now.evaluations[-1]
    n, images = len(event["mcm"]), about.references[event["set"]]["n"]
    where = SETS[event["set"]]
    return f"a sample of {n:,} of the {where}" if n < images else f"the {where}, {n:,} images"


def _sampled(now: Snapshot, about: Facts) -> str:
    """A sentence where the curves are of fewer images than the result."""
    event = now.evaluations[-1]
    images = about.references[event["set"]]["n"]
    if len(event["mcm"]) == images:
        return ""
    return f" The result is measured on all {images:,} images and differs a little."


PANELS = {
    "loss": _loss,
    "hills": _score_distributions,
    "signs": _metrics_by_epoch,
    "weights": _weights,
    "change": _change,
    "batch": _batch,
}
