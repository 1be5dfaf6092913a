"""A setting is written once, in config.settings; a new one that is forgotten somewhere fails here."""

from dataclasses import fields

import pytest

from tests.analysis.test_compare import compared_run
from ueo_core.analysis.compare import differences
from ueo_core.cli.commands import settings_of
from ueo_core.cli.parser import build, chosen_settings
from ueo_core.config.presets import DEFAULT_PRESET, preset
from ueo_core.config.settings import SETTINGS, Settings
from ueo_core.utils.errors import UserError
from ueo_core.workspace.equivalent_command import options
from ui.adapt.fields import FIELDS

# Another value than every preset's, for each setting.
OTHER = {
    "backbone": "drawings-vit",
    "pretrained": "weights.safetensors",
    "method": "infomax",
    "epochs": 7,
    "batch_size": 12,
    "lr": 0.123,
    "trade": 0.5,
    "weight_temperature": "released",
    "prompt": "a drawing of a",
    "templates": "a drawing of a {}.|the {}, drawn",
    "trained": "affine",
    "crop_scale": 0.75,
    "flip": False,
    "guard": False,
    "seed": 3,
    "device": "cpu",
    "chunk": 5,
    "mode": "quick",
    "precision": "bfloat16",
}
COMMANDS = {
    "adapt": ["adapt", "photos", "--classes", "a,b", "--out", "run"],
    "protocol": ["protocol", "photos", "--out", "out"],
    "table": ["table", "--out", "out"],
}


def words_of(name: str) -> list[str]:
    """The option that sets the other value."""
    flag, value = name.replace("_", "-"), OTHER[name]
    return [f"--no-{flag}"] if value is False else [f"--{flag}", str(value)]


def taken_by(command: str) -> set[str]:
    if command == "adapt":
        return set(SETTINGS)
    compared = {name for name, about in SETTINGS.items() if about.compared}
    return compared if command == "protocol" else compared - {"backbone", "pretrained"}


def test_every_field_but_the_extensions_is_a_setting():
    assert {f.name for f in fields(Settings)} - set(SETTINGS) == {"extensions"}
    assert set(OTHER) == set(SETTINGS)
    for name in SETTINGS:
        preset = Settings.for_backbone("drawings-resnet")
        assert OTHER[name] != getattr(preset, name) or name == "backbone"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", SETTINGS)
def test_an_option_of_a_command_reaches_its_setting_or_is_refused(command, name):
    line = [*COMMANDS[command], *words_of(name)]
    if name in taken_by(command):
        args = build().parse_args(line)
        assert chosen_settings(args)[name] == OTHER[name]
        if command == "adapt":
            assert getattr(settings_of(args), name) == OTHER[name]
    else:
        with pytest.raises(UserError, match="unrecognized arguments: --"):
            build().parse_args(line)


@pytest.mark.parametrize("name", [n for n in SETTINGS if n != "backbone"])
def test_a_setting_is_in_the_equivalent_command_where_it_differs(name):
    changed = preset(DEFAULT_PRESET, "drawings-resnet", **{name: OTHER[name]})
    assert options(changed) == ["--backbone", "drawings-resnet", *words_of(name)]


def test_the_drawer_of_adapt_has_a_field_for_every_setting_without_a_place_of_its_own():
    assert set(FIELDS) == set(SETTINGS) - {"backbone", "pretrained", "method"}
    for name, about in FIELDS.items():
        assert about.title and about.help.endswith("."), name


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_differs_is_named_among_the_differences(name):
    two = [compared_run("a"), compared_run("b", settings={name: OTHER[name]})]
    (found,) = [d for d in differences(two) if d.name == name.replace("_", " ")]
    assert found.values["a"] != found.values["b"]
