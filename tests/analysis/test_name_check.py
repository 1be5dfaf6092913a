"""The check of class names on drawings, whose nouns are known."""

import pytest

from ueo_core.analysis.name_check import check_names_on, unknown_words
from ueo_core.data.labels import folder_labels
from ueo_core.data.store import Store
from ueo_core.data.word_list import word_list
from ueo_core.drawings.sample import write_drawings
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.utils.background_jobs import Cancelled

CLASSES = ["star", "key", "fish", "car", "moon"]
HIDDEN = ["boat", "guitar", "umbrella"]


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """→ the model, images of four classes and three other nouns, the noun of every image"""
    backbone = backbones.load("drawings-vit", None, "cpu")
    folder = tmp_path_factory.mktemp("pool")
    write_drawings(folder / "drawn", "painted", 10, 0, [*CLASSES[:4], *HIDDEN], 64)
    store = Store(folder / "store", backbone.store_side)
    images = store.open(store.ingest(folder / "drawn").set_id)
    return backbone, images, folder_labels(images)


def test_groups_that_no_name_fits_are_unknown_nouns_and_words_are_suggested_for_them(pool):
    backbone, images, nouns = pool
    seen = []
    found = check_names_on(
        images,
        AdaptedCLIP(backbone, CLASSES),
        word_list(),
        lambda what, done, total: seen.append(what),
    )
    assert {"images", "words"} == set(seen)
    assert sum(found.counts) == found.images == len(images)
    assert found.groups and not set(found.words) & set(CLASSES)
    for group in found.groups:
        unknown = [nouns[i] in HIDDEN for i in group.images]
        assert sum(unknown) > len(unknown) / 2
    assert {found.words[w] for g in found.groups for w in g.words[:1]} == set(HIDDEN)
    for name, near in zip(CLASSES[:4], found.nearest[:4], strict=True):
        assert [nouns[i] for i in near] == [name] * 4
    data = found.to_json(images.names)
    assert data["classes"][0]["nearest"] == [images.names[i] for i in found.nearest[0]]
    assert {g["words"][0] for g in data["groups"]} == set(HIDDEN)


def test_it_can_be_cancelled(pool):
    backbone, images, _ = pool

    def cancel(what, done, total):
        raise Cancelled

    with pytest.raises(Cancelled):
        check_names_on(images, AdaptedCLIP(backbone, CLASSES), ["boat"], cancel)


def test_a_teaching_model_says_which_words_it_does_not_know(pool):
    found = unknown_words(pool[0], ["red_key", "Fish", "espresso machine"])
    assert found == {"espresso machine": ["espresso", "machine"]}


def test_other_models_are_judged_by_their_tokenizer(tiny_files):
    config, weights = tiny_files["vit"]
    backbone = backbones.load(str(config), str(weights), "cpu")
    names = ["espresso machine", "peacock", "xqzvjkq dog", "Quokka"]
    strange = {"xqzvjkq dog": ["xqzvjkq"], "Quokka": ["Quokka"]}
    assert unknown_words(backbone, names, ["peacock", "table"]) == strange
    assert unknown_words(backbone, names) == strange | {"peacock": ["peacock"]}
