"""Settings refuse what no run can have, and presets give way to what is chosen."""

import pytest

from ueo_core.config.settings import Settings
from ueo_core.utils.errors import UserError


@pytest.mark.parametrize(
    "bad",
    [
        {"method": "magic"},
        {"epochs": 0},
        {"batch_size": 1},
        {"lr": -1.0},
        {"lr": float("nan")},
        {"lr": float("inf")},
        {"trade": -0.1},
        {"device": "tpu"},
        {"weight_temperature": "warm"},
        {"trained": "all"},
        {"crop_scale": 0.0},
        {"seed": -1},
        {"chunk": 0},
    ],
)
def test_impossible_values_are_refused_in_a_sentence(bad):
    with pytest.raises(UserError, match="choose"):
        Settings(**bad)


def test_the_defaults_are_the_papers():
    s = Settings()
    assert (s.lr, s.epochs, s.batch_size, s.trade, s.crop_scale) == (1e-4, 50, 64, 1.0, 0.5)
    assert (s.prompt, s.weight_temperature) == ("a photo of a", "scaled")


def test_a_choice_goes_over_the_preset_and_none_does_not():
    s = Settings.for_backbone("drawings-vit", lr=0.25, epochs=None)
    assert s.lr == 0.25 and s.epochs == Settings.for_backbone("drawings-vit").epochs != 50
    assert Settings.for_backbone("RN50-quickgelu").lr == 1e-4


def test_json_round_trip_ignores_what_it_does_not_know():
    s = Settings(method="infomax", chunk=4)
    assert Settings.from_json(s.to_json() | {"from_the_future": 1}) == s
