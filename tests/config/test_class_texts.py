"""Templates as they are written in a setting."""

import pytest

from ueo_core.config.class_texts import split_templates
from ueo_core.config.settings import Settings
from ueo_core.utils.errors import UserError


@pytest.mark.parametrize(
    ("text", "templates"),
    [
        ("", ()),
        (" \n| ", ()),
        ("openai", ("openai",)),
        ("a {}.", ("a {}.",)),
        (" a  {}. | the {}\na big {} here\n", ("a {}.", "the {}", "a big {} here")),
    ],
)
def test_templates_are_split(text, templates):
    assert split_templates(text) == templates
    assert Settings(templates=text).templates == text


@pytest.mark.parametrize("text", ["a photo", "a {}.|the name", "openai|a {}.", "{name}"])
def test_a_template_without_a_place_for_the_name_is_refused(text):
    with pytest.raises(
        UserError, match="Template “.*”: it has no {} for the name of the class; write"
    ):
        Settings(templates=text)
