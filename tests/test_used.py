"""New images asked about: kept beside the model, the same as `predict`, cancelled without a trace."""

import io

import numpy as np
import pytest
from PIL import Image

import ueo_core as core
from tests.deltas import write_delta
from tests.run_folders import SCALE, cosines_of, labels_of, write_run
from ueo_core.answers import Answers
from ueo_core.datasets import unused_sets
from ueo_core.errors import UserError
from ueo_core.jobs import Cancelled, Job
from ueo_core.offered import read_offer
from ueo_core.predict import cosines, fitted
from ueo_core.taking_in import spool
from ueo_core.used import answers_of, asked, classify_path, classify_uploads, forget


def uploads(n: int = 3, extra: bool = True):
    g = np.random.default_rng(4)
    files = []
    for i in range(n):
        buffer = io.BytesIO()
        Image.fromarray(g.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(buffer, "PNG")
        files.append((f"{i}.png", buffer))
    return files + ([("notes.txt", io.BytesIO(b"text"))] if extra else [])


@pytest.fixture
def offer(tmp_path, tiny_files):
    config, weights = map(str, tiny_files["vit"])
    write_delta(tmp_path / "own" / "delta.safetensors", config, weights)
    return read_offer(tmp_path / "own" / "delta.safetensors")


def test_what_was_asked_is_kept_and_says_what_the_model_says(offer):
    job = Job("k", "t")
    id = classify_uploads(job, offer, spool(uploads()))
    assert (job.done, job.total) == (3, 3)
    (what,) = asked(offer)
    assert (what.id, what.skipped, len(what.images())) == (id, 1, 3)
    model = fitted(offer, "cpu")
    again = Answers(what.images().names, cosines(model, what.images()), offer.classes, SCALE)
    assert answers_of(offer, what).csv(0.3).splitlines()[0] == again.csv(0.3).splitlines()[0]
    np.testing.assert_allclose(answers_of(offer, what).cosines, again.cosines, atol=1e-6)
    assert list((core.studio_home() / "uploads").iterdir()) == []


def test_its_images_are_in_use_until_it_is_forgotten(offer, monkeypatch):
    # Kept answers count where the studio keeps its deltas.
    kept = core.studio_home() / "deltas" / "0123456789abcdef"
    kept.parent.mkdir(parents=True)
    offer.path.parent.rename(kept)
    offer = read_offer(kept / offer.path.name)
    classify_uploads(Job("k", "t"), offer, spool(uploads()))
    store = core.Store(core.store_root())
    assert unused_sets(store) == []
    forget(offer, asked(offer)[0])
    assert asked(offer) == [] and len(unused_sets(store)) == 1


def test_answers_of_another_delta_are_not_shown(offer, tiny_files):
    classify_uploads(Job("k", "t"), offer, spool(uploads()))
    config, weights = map(str, tiny_files["vit"])
    write_delta(offer.path, config, weights, shift=0.2)
    assert asked(read_offer(offer.path)) == []


def test_a_run_offers_its_own_images_first_of_all():
    run = write_run("r")
    offer = read_offer(run.path)
    (pool,) = asked(offer)
    said = answers_of(offer, pool)
    np.testing.assert_array_equal(said.cosines, cosines_of(labels_of(80), 0.12, 1))
    assert said.names == pool.images().names and said.logit_scale == SCALE


def test_cancelled_it_leaves_no_answer(offer):
    job = Job("k", "t")
    job.cancel()
    with pytest.raises(Cancelled):
        classify_uploads(job, offer, spool(uploads()))
    assert asked(offer) == [] and list((core.studio_home() / "uploads").iterdir()) == []


def test_nothing_usable_is_a_sentence(offer):
    with pytest.raises(UserError, match="no usable image"):
        classify_uploads(Job("k", "t"), offer, spool([("a.txt", io.BytesIO(b"x"))]))


def test_a_path_must_lie_in_the_roots(offer, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for name, buffer in uploads(2, extra=False):
        (tmp_path / "in" / name).write_bytes(buffer.getvalue())
    with pytest.raises(UserError, match="outside the folders"):
        classify_path(Job("k", "t"), offer, str(tmp_path / "in"))
    monkeypatch.setenv("UEO_STUDIO_ROOTS", str(tmp_path))
    classify_path(Job("k", "t"), offer, str(tmp_path / "in"))
    assert len(answers_of(offer, asked(offer)[0])) == 2
