"""The outcome of each scene, computed for what is on the screen: which prediction was right."""

from collections.abc import Mapping

from ueo_core.learn.demo import Demo, draw_eight
from ueo_core.learn.outcomes import OUTCOMES, measure
from ueo_core.learn.parameter_counts import VIT
from ueo_core.learn.sentence_numbers import NO_DIFFERENCE
from ueo_core.learn.simplex import simulate
from ueo_core.learn.triangle_settings import TriangleSettings

SURE = 0.5  # confidence above which the scene `guess` counts a drawing
APART, SAME = 95.0, 55.0  # AUC in percent from which distributions are apart, up to which the same
METHOD = {"term-one": "entmin", "term-two": "infomax", "weights": "ueo", "wrong": "ueo"}


def of_eight(demo: Demo, draw: int) -> str:
    """Scene `guess`: whether most unknown drawings have a confidence above SURE."""
    unknown = [i for i in draw_eight(demo, draw) if demo.truth[i] < 0]
    return "sure" if 2 * (demo.confidence(unknown) > SURE).sum() > len(unknown) else "unsure"


def of_scores(demo: Demo) -> str:
    """Scene `hills`: how far the distributions are apart, by their AUC."""
    return "apart" if demo.auc >= APART else "same" if demo.auc <= SAME else "overlap"


def of_triangle(scene: str, settings: TriangleSettings) -> str:
    """The end of the method that the scene asks about; a key of OUTCOMES."""
    run = simulate(settings)
    return OUTCOMES[measure(run).outcome[run.methods.index(METHOD[scene]), -1]]


def of_run(first: Mapping, last: Mapping) -> str:
    """Scene `live`: the change of the AUC between two evaluations of a run."""
    change = last["auc"] - first["auc"]
    return "same" if abs(change) < NO_DIFFERENCE else "rises" if change > 0 else "falls"


def of_trained() -> str:
    """Scene `moved`: the trained share of ViT-B/16, by its order of magnitude."""
    return "tenth" if VIT.share > 0.03 else "hundredth" if VIT.share > 0.001 else "thousandth"
