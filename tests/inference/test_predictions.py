"""Predictions: every column recomputed by hand, and a file with the same rows."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from ueo_core.evaluation.ood_scores import score_named
from ueo_core.evaluation.thresholds import mixture_threshold
from ueo_core.inference.predictions import COLUMNS, Predictions
from ueo_core.utils.csv_text import exact
from ueo_core.utils.errors import UserError

COSINES = np.array([[0.30, 0.10], [0.21, 0.20], [0.05, 0.25]], np.float32)
NAMES = ["b/x, 1.png", 'say "hi".png', "ü.png"]


def predictions() -> Predictions:
    return Predictions(NAMES, COSINES, ["dog", "=cat"], 100.0)


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def test_columns_are_the_softmax_and_its_argmax():
    exact = COSINES.astype(np.float64)
    confidence, score = softmax(100 * exact).max(1), softmax(exact).max(1)
    threshold = float(np.sort(score)[1])  # an image at the threshold itself is known
    rows = list(predictions().rows(threshold))
    assert [r[0] for r in rows] == NAMES
    assert [r[1] for r in rows] == ["dog", "dog", "=cat"]
    assert [float(r[2]) for r in rows] == pytest.approx(confidence, abs=5e-7)
    assert [float(r[3]) for r in rows] == pytest.approx(score, abs=5e-9)
    assert [r[4] for r in rows] == [int(s < threshold) for s in score] == [0, 1, 0]


def test_negative_words_make_neglabel_of_the_score_and_nothing_else():
    negatives = np.array([[0.1, 0.2], [0.3, 0.25], [0.0, 0.1]], np.float32)
    found = replace(predictions(), negatives=negatives)
    known, other = (np.exp(100 * c.astype(np.float64)).sum(1) for c in (COSINES, negatives))
    np.testing.assert_allclose(found.score, known / (known + other))
    assert [r[:3] for r in found.rows(0.5)] == [r[:3] for r in predictions().rows(0.5)]
    assert [r[4] for r in found.rows(0.5)] == [0, 1, 0]
    assert score_named(found.score_name).title == "NegLabel"
    assert predictions().score_name == "mcm" and predictions().unsupervised_threshold(0.3) == 0.3
    assert found.unsupervised_threshold(0.3) == mixture_threshold(found.score)


def test_the_file_has_the_rows(tmp_path):
    path = tmp_path / "new" / "p.csv"
    assert predictions().write_csv(path, 0.51) == 1
    with open(path, newline="", encoding="utf-8") as file:
        table = list(csv.reader(file))
    assert table[0] == list(COLUMNS)
    assert [r[1] for r in table[1:]] == ["dog", "dog", "'=cat"]  # text, never a formula
    rows = [tuple(map(exact, r)) for r in table[1:]]
    assert rows == [tuple(map(str, r)) for r in predictions().rows(0.51)]
    assert predictions().csv(0.51, for_excel=True) == b"\xef\xbb\xbf" + path.read_bytes()
    assert [p.name for p in path.parent.iterdir()] == ["p.csv"]


def test_files_with_the_same_bytes_have_a_row_each(tmp_path):
    copies = [("a/copy.png", "z.png"), (), ("ä.png",)]
    found = Predictions(NAMES, COSINES, ["dog", "cat"], 100.0, copies=copies)
    assert found.files == sorted(
        [("a/copy.png", 0), ("z.png", 0), ("ä.png", 2), *zip(NAMES, range(3), strict=True)]
    )
    rows = {r[0]: r[1:] for r in found.rows(0.51)}
    assert len(rows) == 6 and len(found) == 3
    assert rows["a/copy.png"] == rows["z.png"] == rows[NAMES[0]] and rows["ä.png"] == rows[NAMES[2]]
    assert found.write_csv(tmp_path / "p.csv", 0.51) == sum(r[-1] for r in rows.values()) == 1


def test_a_file_that_cannot_be_written_is_a_user_error(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        predictions().write_csv(tmp_path / "folder", 0.5)
