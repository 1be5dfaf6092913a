"""The Drawings: determinism, variety, and the built-in problem's promises."""

import csv
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from ueo_core.drawings.captions import positives
from ueo_core.drawings.nouns import NOUNS
from ueo_core.drawings.render import DOMAINS, SOURCE_DOMAIN, render
from ueo_core.drawings.sample import SHIFTS, problem, write_drawings, write_sample
from ueo_core.utils.errors import UserError


def draw(noun, domain, seed, size=48):
    return np.asarray(render(noun, domain, np.random.default_rng(seed), size)[0])


def test_the_world_is_large_enough():
    assert len(NOUNS) >= 24 and len(DOMAINS) >= 4 and SOURCE_DOMAIN in DOMAINS


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_noun_is_drawn_deterministically_and_every_image_differs(domain):
    for noun in NOUNS:
        first, again, other = draw(noun, domain, 1), draw(noun, domain, 1), draw(noun, domain, 2)
        assert first.shape == (48, 48, 3) and first.dtype == np.uint8
        assert np.array_equal(first, again)
        assert np.abs(first.astype(int) - other).mean() > 1


@pytest.mark.parametrize("size", [33, 64, 160])
def test_size_is_as_asked(size):
    for domain in DOMAINS:
        assert draw("star", domain, 0, size).shape == (size, size, 3)


def test_the_thing_is_in_the_picture():
    # Painted twice from the same seed but with another noun, only the thing's place differs.
    a, b = draw("ladder", "sketch", 5, 96), draw("heart", "sketch", 5, 96)
    assert (np.abs(a.astype(int) - b).max(2) > 40).mean() > 0.03


@pytest.mark.parametrize("shift", SHIFTS)
def test_shifts_hold_what_they_say(shift):
    p = problem(shift, seed=3)
    classes, pool, test = set(p.classes), set(p.pool), set(p.test)
    ood = test - classes
    kind = SHIFTS[shift]
    assert len(pool & classes) == kind.known and len(pool - classes) == kind.ood
    assert pool - classes <= ood and classes <= test
    assert test == set(problem("closed", seed=3).test)
    assert len(set(Counter(p.test).values())) == 1


def test_seeds_draw_other_classes_and_repeat_themselves():
    assert problem(seed=0) == problem(seed=0)
    assert problem(seed=0).classes != problem(seed=1).classes
    assert problem(seed=0).image("pool", 0) == problem(seed=0).image("pool", 0)


def test_the_pool_is_flat_and_its_names_tell_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("ueo_core.drawings.sample.PER_POOL_CLASS", 2)
    monkeypatch.setattr("ueo_core.drawings.sample.PER_TEST_CLASS", 1)
    p = problem(seed=1)
    counts = write_sample(tmp_path / "s", p)
    pool = sorted((tmp_path / "s" / "pool").iterdir())
    assert len(pool) == counts["pool"] == len(p.pool)
    assert all(f.suffix == ".png" and f.stem.isdigit() for f in pool)
    assert list(p.pool) != sorted(p.pool)
    assert (tmp_path / "s" / "classes.txt").read_text(encoding="utf-8").split() == list(p.classes)
    assert {d.name for d in (tmp_path / "s" / "test").iterdir()} == set(p.test)
    with open(tmp_path / "s" / "pool_labels.csv", encoding="utf-8") as file:
        assert [r["label"] for r in csv.DictReader(file)] == list(p.pool)


def test_drawings_of_chosen_classes_do_not_depend_on_the_others(tmp_path):
    assert write_drawings(tmp_path / "a", "neon", 2, 7, ["cat", "star"], 40) == 4
    write_drawings(tmp_path / "b", "neon", 1, 7, ["star"], 40)
    a, b = (np.asarray(Image.open(tmp_path / d / "star" / "0000.png")) for d in "ab")
    assert a.shape == (40, 40, 3) and np.array_equal(a, b)


def test_bad_requests_are_sentences(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    for call, message in [
        (lambda: problem("sideways"), "open-partial"),
        (lambda: problem(domain="oil"), "painted"),
        (lambda: write_drawings(tmp_path / "o", "neon", 1, 0, ["unicorn"]), "unicorn.*anchor"),
        (lambda: write_drawings(tmp_path / "o", "neon", 0, 0), "out of range"),
        (lambda: write_drawings(tmp_path / "full", "neon", 1, 0, ["cat"]), "not empty"),
    ]:
        with pytest.raises(UserError, match=message):
            call()


def test_a_caption_describes_every_image_it_is_true_of():
    # Images: red cat, blue cat, red dog. Captions: "cat", "blue cat", "red dog".
    got = positives([0, 0, 1], [0, 1, 0], [-1, 1, 0])
    assert got.tolist() == [[True, False, False], [True, True, False], [False, False, True]]
