"""Negative words on the Use page: another score, until they are taken back."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.helpers.adapters import write_adapter
from tests.helpers.pages import app, at, button, clean, errors, wait_for_job  # noqa: F401
from tests.ui.use.test_page import metrics, slider
from ueo_core.evaluation.thresholds import mixture_threshold
from ueo_core.inference.negatives import cosines_with
from ueo_core.inference.predictions import Predictions
from ueo_core.utils.background_jobs import Job
from ueo_core.workspace.imported_adapters import import_adapter, imported_adapters
from ueo_core.workspace.prediction_history import classified_sets
from ui.use import images, negative_words


@pytest.fixture
def page(app, tiny_files, tmp_path):  # noqa: F811
    """Use with nine classified images. → page, the model, its adapter file"""
    config, weights = map(str, tiny_files["vit"])
    model = write_adapter(tmp_path / "d.safetensors", config, weights)
    id = import_adapter(Job("k", "t"), (tmp_path / "d.safetensors").read_bytes())
    page = at(app, "6_Use", adapter=id)
    g, files = np.random.default_rng(0), []
    for i in range(9):
        buffer = io.BytesIO()
        Image.fromarray(g.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(buffer, "PNG")
        files.append((f"{i}.png", buffer.getvalue(), "image/png"))
    next(u for u in page.file_uploader if u.label.startswith("Drag photos")).set_value(files).run()
    wait_for_job(images.JOB)
    return clean(page.run()), model, imported_adapters()[id]


def score_with(page, words: str):
    page.text_input(key="use.negatives.words").set_value(words)
    button(page, "Score with them").click().run()
    wait_for_job(negative_words.JOB)
    return clean(page.run())


def test_the_score_is_neglabel_until_the_words_are_taken_back(page):
    page, model, adapter_file = page
    before = metrics(page)
    page = score_with(page, "screenshot, document")
    (what,) = classified_sets(adapter_file)
    found = what.images()
    known, other = cosines_with(model, found, ["screenshot", "document"])
    expected = Predictions(found.names, known, model.classes, model.logit_scale, negatives=other)
    threshold = mixture_threshold(expected.score)
    assert metrics(page)["Unknown"] == str(int(expected.unknown(threshold).sum()))
    assert "NegLabel" in slider(page).label or "NegLabel" in slider(page).help
    page.segmented_control(key="use.view").set_value("table").run()
    table = page.dataframe[0].value.set_index("image")["score (NegLabel)"]
    np.testing.assert_allclose(table.loc[list(found.names)], expected.score, atol=1e-6)
    assert any(c.value == "screenshot, document" for c in page.caption)
    button(page, "Score without").click().run()
    assert metrics(clean(page)) == before
    assert "score (MCM)" in page.dataframe[0].value


def test_a_word_that_is_a_class_is_refused_with_the_way_out(page):
    page, _, _ = page
    before = metrics(page)
    page = score_with(page, "map, star")
    (said,) = errors(page)
    assert said.startswith("Negative words: “star” is the same text") and "leave it out" in said
    assert metrics(page) == before
