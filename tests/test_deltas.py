"""Deltas brought in: checked against their model first, kept only when they fit."""

import pytest

import ueo_core as core
from tests.deltas import CLASSES, write_delta
from ueo_core.deltas import MAX_BYTES, bring_in, brought_in, take_out
from ueo_core.errors import UserError
from ueo_core.jobs import Job


@pytest.fixture
def delta(tmp_path, tiny_files) -> bytes:
    config, weights = map(str, tiny_files["vit"])
    write_delta(tmp_path / "d.safetensors", config, weights)
    return (tmp_path / "d.safetensors").read_bytes()


def test_one_that_fits_is_kept_as_it_came_and_found_again(delta):
    id = bring_in(Job("k", "t"), delta)
    assert bring_in(Job("k", "t"), delta) == id
    ((found, offer),) = brought_in().items()
    assert found == id and offer.classes == CLASSES and offer.title == "a run" and offer.run is None
    assert offer.path.read_bytes() == delta
    take_out(id)
    assert brought_in() == {}
    assert list((core.studio_home() / "deltas").iterdir()) == []


def test_one_whose_model_is_elsewhere_is_told_where(delta, tiny_files, tmp_path):
    config, weights = tiny_files["vit"]
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes(weights.read_bytes())
    id = bring_in(Job("k", "t"), delta, pretrained=str(moved))
    assert brought_in()[id].settings.pretrained == str(moved)


def test_a_viewer_from_elsewhere_cannot_make_it_read_files(delta):
    with pytest.raises(UserError, match="reads none for them"):
        bring_in(Job("k", "t"), delta, files=False)
    assert brought_in() == {}


@pytest.mark.parametrize("kind", ["no delta", "too large", "other model"])
def test_one_that_does_not_fit_is_not_kept(kind, delta, tiny_files):
    where = {}
    if kind == "other model":
        where = dict(zip(("backbone", "pretrained"), map(str, tiny_files["resnet"]), strict=True))
    data = {"no delta": b"x" * 100, "too large": b"x" * (MAX_BYTES + 1), "other model": delta}[kind]
    with pytest.raises(UserError):
        bring_in(Job("k", "t"), data, **where)
    root = core.studio_home() / "deltas"
    assert not root.exists() or list(root.iterdir()) == []
