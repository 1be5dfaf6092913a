"""The panels of the Live page: charts that keep their place and identity from tick to tick."""

from dataclasses import dataclass
from functools import lru_cache

import streamlit as st

from ueo_core.analysis import histograms
from ueo_core.analysis.live_metrics import (
    canary_strip,
    change_by_layer,
    confidence_hills,
    has_labels,
    progress_signs,
    weight_bars,
    within,
)
from ueo_core.config.methods import METHODS
from ueo_core.config.settings import Settings
from ueo_core.runs.downsample import decimated
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.snapshot import Snapshot
from ui.common import charts, thumbs
from ui.common.learn_link import titled
from ui.common.text import escaped
from ui.live.view_options import View

HEIGHT = 300
SMALL, LARGE = 13, 20  # text of charts on a desk and on a projector, pixels
LARGE_HEIGHT = 430
# Points of a curve, on some 450 pixels. What a tick sends, Streamlit looks through value by value
# while the training waits: 1,500 points took a third of it.
CURVE = 400
STYLE = thumbs.STYLE
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
SETS = {"pool": "pool", "holdout": "test set"}


@dataclass(frozen=True)
class Facts:
    """What does not change during a run."""

    classes: tuple[str, ...]
    settings: Settings
    references: dict  # image sets by name
    labels: dict  # for colour and ticks only


@dataclass(frozen=True)
class Panel:
    """All that a panel may draw from."""

    now: Snapshot
    shown: Snapshot  # the same, with the curves of the chosen steps alone
    about: Facts
    view: View
    size: int  # of the text, pixels
    theme: str

    @property
    def height(self) -> int:
        return HEIGHT if self.size < LARGE else LARGE_HEIGHT

    @property
    def steps(self) -> tuple[int, int]:
        """Ends of the step axis: the chosen ones, else to where the run ends or has ended early."""
        if self.view.last is not None:
            return self.view.first, self.view.last
        return 0, self.now.step if self.now.state == "finished" else self.now.steps


@lru_cache(maxsize=8)
def facts(path: str) -> Facts:
    """A run's settings, image sets and labels, read once."""
    folder = RunFolder(path)
    config = folder.config
    references = {name: config[name] for name in SETS if config[name]}
    return Facts(tuple(config["classes"]), folder.settings, references, folder.labels())


def draw(now: Snapshot, about: Facts, view: View, theme: str) -> None:
    """All panels, or the projector's few in large type; then the canaries."""
    names, size, width = tuple(PANELS), SMALL, 330
    if view.present:
        names, size, width = view.panels, LARGE, 420
    shown = within(now, view.first, view.last)
    grid = st.grid(3, min_column_width=width, gap="medium", key=f"live-grid-{size}")
    for name in names:
        with grid.cell():
            PANELS[name](Panel(now, shown, about, view, size, theme))
    _canaries(now, about)


def _head(title: str, topic: str | None = None) -> None:
    """A panel's title. topic: of the "why?" beside it."""
    titled(f"**{title}**", topic) if topic else st.markdown(f"**{title}**")


def _chart(panel: Panel, name: str, spec: dict, alt: str) -> None:
    """A chart that keeps its place; a click on its legend would only last until the next tick."""
    if "legend" in spec:
        spec["legend"]["selectedMode"] = False
    st.echarts_chart(spec, key=f"live-{name}-{panel.size}", height=panel.height, alt=alt)


def _loss(panel: Panel) -> None:
    about, size = panel.about, panel.size
    first, last = panel.steps
    _head("The loss and its two terms", "loss")
    _chart(
        panel,
        "loss",
        charts.loss_chart(decimated(panel.shown.series, points=CURVE), last, size, first),
        "Line chart of the loss, the weighted entropy of each image and the entropy of the mean.",
    )
    method = METHODS[about.settings.method]
    trade = method.trade(about.settings.trade)
    if method.loss:
        text = f"In nats. The loss of {method.title} is {method.loss}; the two entropies are watched beside it."
    elif trade:
        text = (
            "In nats. The dashed line should fall: each confident image gets surer. The dotted one should stay "
            f"high: the answers stay spread. Loss = dashed − {trade:g} × dotted."
        )
    else:
        text = (
            "In nats. Only the dashed line counts here: every image is pushed to be sure. Nothing holds the "
            "dotted line up, and when it falls all images get the same answer."
        )
    st.caption(text)


def _hills(panel: Panel) -> None:
    now, about, size = panel.now, panel.about, panel.size
    _head("Confidence hills, now and at step 0", "hills")
    found = confidence_hills(now)
    floor = 1 / len(about.classes)
    _chart(
        panel,
        "hills",
        charts.hill_chart(found, size),
        "Densities of the confidence score of the probe images, now against step 0.",
    )
    if found is None:
        text = "They appear once every image has been measured."
    elif now.evaluations[-1]["ood"]:
        text = (
            f"The blue hill (●, known) should move right, away from the orange one (▲, unknown). "
            f"{_probe(now)}; MCM: largest softmax of the unscaled cosines, T = 1; "
            f"with {len(about.classes)} classes it is never below {floor:.4f}."
        )
    else:
        text = (
            f"Two humps are a sign that something unknown is in there. {_probe(now)}; MCM: largest "
            f"softmax of the unscaled cosines, T = 1; with {len(about.classes)} classes it is never "
            f"below {floor:.4f}."
        )
    st.caption(text)


def _signs(panel: Panel) -> None:
    now, about, size = panel.now, panel.about, panel.size
    labelled = has_labels(now)
    unscored = not now.evaluations
    _head("Quality by epoch" if labelled or unscored else "Signs without labels, by epoch")
    signs = progress_signs(panel.shown, len(about.classes)) if panel.shown.evaluations else {}
    first, last = panel.steps
    _chart(
        panel,
        "signs",
        charts.percent_chart(signs, last, size, first),
        "Line chart by step of accuracy and AUC, or of signs that need no labels.",
    )
    values = " · ".join(f"{k} {v[0][1]:.1f} → {v[-1][1]:.1f}" for k, v in signs.items())
    if labelled:
        text = (
            f"{values}. ACC: mean accuracy of the classes; AUC: known against unknown by MCM, T = 1; "
            f"HM: their harmonic mean. {_probe(now)}; the labels only score, training never sees them. "
            "The axis need not start at 0."
        )
    elif unscored:
        text = "It appears with the first measurement."
    else:
        text = (
            f"{values}. Same answer: as at step 0. Spread of the answers over the classes: near 0 all are "
            "one class, a collapse. Doubt: mean entropy as a share of log C. "
            f" {_probe(now)}. The axis need not start at 0."
        )
    st.caption(text)


def _weights(panel: Panel) -> None:
    now, about, size = panel.now, panel.about, panel.size
    _head("Weights of the images, fixed before step 1", "weights")
    found = weight_bars(now)
    if found is None:
        spec, text = (
            charts.bar_chart([0, 1], {}, "w(x)", 2, size),
            "They appear after the measurement.",
        )
    else:
        low, high = float(found.edges[0]), float(found.edges[-1])
        digits = histograms.digits(low, high)
        spec = charts.bar_chart(found.edges, found.counts, "w(x)", digits, size)
        scaled = about.settings.weight_temperature == "scaled"
        text = (
            f"Range shown: {low:.{digits}f} to {high:.{digits}f}, exactly the data. w(x) is the largest "
            f"softmax of the zero-shot model, {'at its logit scale' if scaled else 'of unscaled cosines, T = 1'}."
        )
        if not METHODS[about.settings.method].weighted:
            text += f" {METHODS[about.settings.method].title} counts every image alike and does not use them."
    _chart(panel, "weights", spec, "Histogram of the sample weights.")
    st.caption(text)


def _change(panel: Panel) -> None:
    size = panel.size
    _head("How far each layer has moved", "moved")
    steps, layers, values = change_by_layer(panel.shown)
    _chart(
        panel,
        "change",
        charts.change_chart(steps, layers, values, panel.theme, size),
        "Heat map of the relative parameter change by layer and step.",
    )
    st.caption(
        "Context of the prompt first, then the image tower from input to output. ‖v − v₀‖ / ‖v₀‖ in "
        "percent; the colour follows its square root, so that small moves stay visible."
    )


def _batch(panel: Panel) -> None:
    last_batch(panel.now, panel.about)


def last_batch(now: Snapshot, about: Facts) -> None:
    """The images of a run's last batch with most and with least weight; Learn's live run shows them, too."""
    _head("The last batch: who counts most and least")
    rows = []
    weighted = METHODS[about.settings.method].weighted
    for title, key in (("Most weight", "most"), ("Least weight", "least")):
        cards = [
            thumbs.card(about.references["pool"], i, _weight_lines(now, i, weighted))
            for i in now.batch.get(key, ())
        ]
        rows.append(f"<p>{title if weighted else 'Some of its images'}</p>{thumbs.strip(cards)}")
    empty = "<p>It appears with the first step.</p>"
    st.html(f'<div class="ueo-small">{"".join(rows) if now.batch else empty}</div>')


def _weight_lines(now: Snapshot, index: int, weighted: bool) -> list[str]:
    if not weighted:
        return ["w = 1"]
    return [f"w = {now.weights[index]:.3f}"] if index < len(now.weights) else []


def _canaries(now: Snapshot, about: Facts) -> None:
    found = canary_strip(now)
    flipped = sum(c.flipped for c in found)
    count = f": {flipped} of {len(found)} have flipped" if found else ""
    _head(f"Canaries, images on the brink{count}")
    if not found:
        st.html("<p>They appear after the measurement.</p>")
        return
    where = now.evaluations[-1]["set"]
    labels = about.labels.get(where)
    cards = []
    for canary in found:
        label = labels[canary.image] if labels else None
        lines = [_prediction(canary.now, label, about, f" {100 * canary.confidence:.0f} %")]
        if canary.flipped:
            lines.append(f'<span class="was">was {escaped(canary.before)}</span>')
        if label is not None and canary.now != label:
            truth = label if label in about.classes else f"{label} (unknown)"
            lines.append(f'<span class="was">is {escaped(truth)}</span>')
        cards.append(thumbs.card(about.references[where], canary.image, lines, canary.flipped))
    st.html(thumbs.strip(cards))
    st.caption(
        "Each with its answer and confidence now (largest softmax at the logit scale). A dashed frame "
        "marks an answer that is not the one of step 0."
    )


def _prediction(prediction: str, label: str | None, about: Facts, more: str) -> str:
    # An unknown image has no right answer among the classes: neither tick nor cross.
    kind = "" if label not in about.classes else "good" if prediction == label else "bad"
    return f'<span class="tag {kind}">{escaped(prediction)}</span>{more}'


def _probe(now: Snapshot) -> str:
    event = now.evaluations[-1]
    return f"{len(event['mcm']):,} images of the {SETS[event['set']]}"


PANELS = {
    "loss": _loss,
    "hills": _hills,
    "signs": _signs,
    "weights": _weights,
    "change": _change,
    "batch": _batch,
}
