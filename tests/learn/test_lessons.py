"""The teacher's notes: each statement is backed by a computation, the document holds to the data."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from ueo_core.evaluation.metrics import auc
from ueo_core.learn import sheet
from ueo_core.learn.demo import draw_eight, threshold_at
from ueo_core.learn.lessons import BEFORE, DISCUSSION, LESSONS, TOTAL
from ueo_core.learn.scenes import SCENES
from ueo_core.learn.simplex import FEATURES, batch, cosines, simulate
from ueo_core.learn.triangle_settings import LOGIT_SCALE, TriangleSettings
from ueo_core.methods.ueo import entropy

ROOT = Path(__file__).resolve().parents[2]


def test_every_scene_has_a_lesson_and_every_statement_its_computation():
    from tests.learn import test_scenes, test_terms

    assert list(LESSONS) == list(SCENES)
    statements = [
        s
        for lesson in LESSONS.values()
        for s in (*lesson.expect, *(wrong.reply for wrong in lesson.wrong))
    ]
    tests = {*globals(), *vars(test_scenes), *vars(test_terms)}
    assert not {s.check for s in statements if f"test_{s.check}" not in tests}
    for lesson in LESSONS.values():
        assert lesson.minutes > 0 and lesson.expect and lesson.wrong
        assert lesson.ask.endswith("?") or "?" in lesson.ask
    assert sum(lesson.minutes for lesson in LESSONS.values()) + DISCUSSION == TOTAL


# The statements that the story does not make


def test_probabilities_sum_to_one(demo):
    p = torch.from_numpy(demo.scale * demo.cosines).softmax(1)
    assert p.shape[1] == len(demo.problem.classes)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)


def test_confidences_overlap(demo):
    chosen = draw_eight(demo, 0)
    confidence, ood = demo.confidence(chosen), demo.truth[chosen] < 0
    assert confidence[ood].max() > confidence[~ood].min()


def test_no_threshold_separates(demo):
    for below in range(101):
        found = threshold_at(demo, below)
        assert found.known_accepted < 100 or found.unknown_accepted > 0


def test_auc_of_chance():
    assert auc(np.ones(8), np.array([0, 1, 0, 1, -1, -1, -1, -1])) == pytest.approx(50)


def test_one_change_moves_all():
    x, _ = batch(TriangleSettings())
    at_rest, change = torch.zeros(1, FEATURES), torch.zeros(1, FEATURES)
    change[0, 0] = 0.2
    moved = (cosines(x, change, at_rest) - cosines(x, at_rest, at_rest)).abs()[0].amax(1)
    assert moved.min() > 1e-3


def test_term_two_is_of_the_mean():
    run = simulate(TriangleSettings())
    infomax = run.methods.index("infomax")
    logits = torch.from_numpy(LOGIT_SCALE * run.cosines[infomax])
    first, last = entropy(logits[0]).mean(), entropy(logits[-1]).mean()
    mean = -(run.mean[infomax] * np.log(run.mean[infomax])).sum(-1)
    assert last < 0.2 * first
    assert mean[-1] > 0.8 * np.log(3)


def test_ten_parameters_collapse(trajectories):
    assert 2 * FEATURES == 10
    entmin = [run.points[run.methods.index("entmin"), -1] for run in trajectories("strangers")]
    assert all(len(set(points.argmax(1))) == 1 for points in entmin)


# The notes with their numbers


def test_the_numbers_are_those_of_the_scenes(demo):
    from ueo_core.learn import sentence_numbers as n

    told = {note.title: " ".join(note.expect) for note in sheet.notes(demo)}
    weights = n.of_triangle(SCENES["weights"].settings)
    wrong = n.of_triangle(SCENES["wrong"].settings)
    assert weights["entmin_end"] in told[SCENES["term-one"].title]
    assert weights["ueo_end"] in told[SCENES["weights"].title]
    assert wrong["ueo_confidence"] in told[SCENES["wrong"].title]
    assert wrong["ueo_confidence"] != weights["ueo_confidence"]
    line = n.of_scores(demo, 5)
    assert f"accepts {line['unknown']} % of the unknown" in told[SCENES["hills"].title]
    assert n.of_trained(demo, 0, demo.model.original)["vit_trained"] in told[SCENES["moved"].title]


def test_the_sheet_is_one_file_that_fetches_nothing(demo):
    page = sheet.html(demo)
    assert not re.search(r"<(script|link|img|iframe)|https?:|url\(", page)
    assert re.search(r"@page \{[^}]*size: A4", page)
    assert page.count("<section>") == len(SCENES)
    plain = page.replace("&#39;", "'").replace("&amp;", "&").replace("\u00a0", " ")
    assert "default-src 'none'" in plain
    for note in sheet.notes(demo):
        assert all(text in plain for text in (note.title, note.ask, *note.expect))
        assert all(answer in plain and reply in plain for answer, reply in note.wrong)
    assert all(line in plain for line in BEFORE) and f"{TOTAL} minutes" in plain


def test_the_document_holds_the_notes(demo):
    document = (ROOT / "docs" / "classroom.md").read_text(encoding="utf-8")
    assert sheet.markdown(demo) in document
    assert "python -c" in document and "sheet.markdown()" in document
