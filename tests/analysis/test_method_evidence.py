"""Methods compared by evidence without labels: each sentence, and what is not compared."""

from dataclasses import replace

import numpy as np
import pytest

from ueo_core.analysis.compare import ComparedRun
from ueo_core.analysis.method_evidence import CLEAR, evidence_of, evidence_sentences
from ueo_core.config.settings import Settings

CLASSES = ("cat", "dog", "sun")


def guard(evidence: float, model: str = "40", information: float = 1.0) -> dict:
    """A recommendation as a run that chose its rate stores it."""
    zero = {"evidence": 3.0, "information": information, "sound": 1.0}
    found = {"zero-shot": zero, model: zero | {"evidence": evidence}}
    return {"share": 1.0, "reason": "", "evidence": found, "model": model}


def run(method: str, evidence: float, seed: int = 0, **changes) -> ComparedRun:
    """A run without labels on 80 images."""
    return ComparedRun(
        run=f"{method}-{seed}",
        title=method,
        settings=Settings(method=method, seed=seed, lr=0.1),
        classes=CLASSES,
        pool={"name": "photos", "fingerprint": "f", "n": 80},
        part="pool",
        reference={"name": "photos", "fingerprint": "f", "n": 80},
        truth=np.full(80, -2),
        predictions={},
        logit_scale=100.0,
        step=40,
        steps=40,
        seconds=1.0,
        guard=changes.pop("guard", None) or guard(evidence, **changes),
    )


def test_a_clear_lead_of_a_baseline_is_said_and_ueo_stays_the_default():
    assert evidence_sentences([run("ueo", 3.95), run("infomax", 4.312)]) == [
        "Evidence without labels speaks for InfoMax on these images (4.31 of 5; UEO 3.95); UEO stays "
        "the default."
    ]


def test_of_several_baselines_the_one_furthest_ahead_is_named():
    runs = [run("ueo", 3.9), run("infomax", 4.2), run("batclip", 4.5), run("entmin", 1.0)]
    assert evidence_sentences(runs) == [
        "Evidence without labels speaks for BATCLIP on these images (4.50 of 5; UEO 3.90); UEO stays "
        "the default."
    ]


def test_a_clear_lead_of_ueo_is_said_with_the_best_baseline():
    assert evidence_sentences([run("infomax", 4.0), run("ueo", 4.5), run("entmin", 2.0)]) == [
        "Evidence without labels speaks for UEO on these images (4.50 of 5; best baseline InfoMax 4.00)."
    ]
    assert evidence_sentences([run("ueo", 4.5), run("entmin", 2.0)]) == [
        "Evidence without labels speaks for UEO on these images (4.50 of 5; EntMin 2.00)."
    ]


@pytest.mark.parametrize("evidence", [4.0 - CLEAR + 0.01, 4.0, 4.0 + CLEAR - 0.01])
def test_small_differences_speak_for_no_method(evidence):
    assert evidence_sentences([run("ueo", 4.0), run("infomax", evidence)]) == [
        f"Evidence without labels speaks for no method on these images (UEO 4.00 of 5; InfoMax "
        f"{evidence:.2f}; less than 0.25 apart)."
    ]
    ahead = evidence_sentences([run("ueo", 4.0), run("infomax", 4.0 + CLEAR)])
    behind = evidence_sentences([run("ueo", 4.0), run("infomax", 4.0 - CLEAR)])
    assert "speaks for InfoMax" in ahead[0] and "speaks for UEO" in behind[0]


def test_where_every_run_recommends_zero_shot_so_does_the_sentence():
    runs = [run("ueo", 4.46, model="zero-shot"), run("infomax", 4.46, model="zero-shot")]
    assert evidence_sentences(runs) == [
        "Evidence without labels speaks for zero-shot on these images (4.46 of 5): every run recommends "
        "the original model."
    ]
    (one,) = evidence_sentences([runs[0], run("infomax", 4.8)])
    assert one.startswith("Evidence without labels speaks for InfoMax")


def test_means_are_over_the_seeds_that_both_have_and_the_first_of_equal_runs():
    runs = [
        *(run("ueo", 3.0, 0), run("ueo", 3.2, 1), run("ueo", 5.0, 7)),
        *(run("infomax", 4.0, 0), run("infomax", 4.2, 1), run("infomax", 0.0, 1)),
    ]
    assert evidence_sentences(runs) == [
        "Evidence without labels speaks for InfoMax on these images (4.10 of 5; UEO 3.10; mean of 2 "
        "seeds); UEO stays the default."
    ]


def test_only_what_was_measured_alike_is_compared():
    ueo = run("ueo", 3.0)
    other = run("infomax", 4.0)
    assert evidence_sentences([ueo]) == [] and evidence_sentences([other]) == []
    assert evidence_sentences([ueo, run("infomax", 4.0, seed=1)]) == []
    assert evidence_sentences([ueo, replace(other, classes=("cat", "dog"))]) == []
    elsewhere = replace(other, pool=other.pool | {"fingerprint": "g", "name": "more"})
    assert evidence_sentences([ueo, elsewhere]) == []
    crops = replace(other, settings=other.settings.changed(crop_scale=0.8))
    assert evidence_sentences([ueo, crops]) == []
    # What changes the model alone may differ, its rate above all.
    rate = replace(other, settings=other.settings.changed(lr=3.0, epochs=7))
    assert len(evidence_sentences([ueo, rate])) == 1
    # Two pools: a sentence each, with their names.
    there = replace(elsewhere, settings=other.settings.changed(method="ueo"), guard=guard(4.0))
    first, second = evidence_sentences([ueo, other, elsewhere, there])
    assert "on “photos”" in first and "on “more”" in second


def test_runs_without_comparable_evidence_have_none():
    assert evidence_of(run("ueo", 4.0)) == 4.0
    fixed = {"share": 1.0, "reason": "", "evidence": {"0": {}, "1": {}}, "model": ""}
    assert evidence_of(run("ueo", 0, guard=fixed)) is None
    assert evidence_of(replace(run("ueo", 4.0), guard=None)) is None
    # Nothing can be concluded of pools that zero-shot does not tell apart, or of a few images.
    assert evidence_of(run("ueo", 4.0, information=0.1)) is None
    few = run("ueo", 4.0)
    assert evidence_of(replace(few, pool=few.pool | {"n": 9})) is None
    damaged = guard(4.0)
    damaged["evidence"]["40"] = {"evidence": None}
    assert evidence_of(run("ueo", 0, guard=damaged)) is None
