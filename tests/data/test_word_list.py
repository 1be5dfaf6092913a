"""The list of words that are suggested, and the user's own."""

import pytest

from ueo_core.data.word_list import COMMON, OWN, word_list
from ueo_core.drawings.nouns import NOUNS
from ueo_core.utils.errors import UserError
from ueo_core.utils.paths import ASSETS


def test_the_list_has_hundreds_of_nouns_each_once(own_home):
    words = word_list()
    assert len(words) == len(set(words)) > 600
    assert set(NOUNS) <= set(words)  # so that the teaching models can suggest any of theirs
    text = (ASSETS / COMMON).read_text(encoding="utf-8")
    given = [w for line in text.splitlines() if not line.startswith("#") for w in line.split(",")]
    assert len(given) == len(words) and not any(w.startswith("#") for w in words)


def test_a_file_adds_words(own_home, tmp_path):
    file = tmp_path / "own.txt"
    file.write_text("# mine\nflux  capacitor, dog\nzither\n", encoding="utf-8")
    common = word_list()
    assert word_list(file) == [*common, "flux capacitor", "zither"]
    own_home.mkdir(exist_ok=True)
    (own_home / OWN).write_text("gizmo", encoding="utf-8")
    assert word_list() == [*common, "gizmo"]


def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="cannot be read .*; check the path"):
        word_list(tmp_path / "none.txt")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(UserError, match="is not UTF-8 text"):
        word_list(tmp_path / "bad.txt")
