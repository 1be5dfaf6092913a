"""Negative words: which are meant, which of a list are mined, and their cosines."""

import numpy as np
import pytest

from tests.conftest import Arrays
from ueo_core.data.word_list import word_list
from ueo_core.inference.negatives import COMMON_NOUNS, cosines_with, mined, negative_words
from ueo_core.inference.predict import cosines
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.utils.errors import UserError

WORDS = ["car", "Dog", "tree", "hound", "map", "screenshot", "wild cat", *map(str, range(20))]


@pytest.fixture
def model(tiny) -> AdaptedCLIP:
    return AdaptedCLIP(tiny, ["dog", "wild_cat", "house"], synonyms={"dog": ["hound"]})


def test_of_a_list_the_words_farthest_from_the_classes_are_used(model):
    found = mined(model, WORDS)
    others = [w for w in WORDS if w not in ("Dog", "hound", "wild cat")]
    text = model.encode_text().detach().double().numpy()
    words = model.encode_words(others).double().numpy()
    near = [np.quantile(text @ w, 0.95) for w in words]
    assert found == [others[i] for i in np.argsort(near)[: int(0.15 * 24)]] and len(found) == 3


def test_the_shipped_list_has_a_name_of_its_own(model):
    found = negative_words(model, f" {COMMON_NOUNS} ")
    assert len(found) == int(0.15 * sum(w not in ("dog", "house", "hound") for w in word_list()))
    assert not {"dog", "house"} & set(found)
    assert negative_words(model, "map, common-nouns") == ["map", "common-nouns"]
    with pytest.raises(UserError, match="Negative words: give at least one"):
        negative_words(model, [])


def test_cosines_with_classes_are_those_without_words(model):
    known, other = cosines_with(model, Arrays(5), ["map", "car"])
    np.testing.assert_allclose(known, cosines(model, Arrays(5)), atol=1e-6)
    alone = cosines(model, Arrays(5), text=model.encode_words(["car"]))
    np.testing.assert_allclose(other[:, 1:], alone, atol=1e-6)
    assert other.shape == (5, 2)
    with pytest.raises(UserError, match="“hound” is the same text"):
        cosines_with(model, Arrays(2), ["hound"])
