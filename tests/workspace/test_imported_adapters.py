"""Imported adapters: checked against their model and stored only if they fit."""

import pytest

from tests.helpers.adapters import CLASSES, write_adapter
from ueo_core.utils.background_jobs import Job
from ueo_core.utils.errors import UserError
from ueo_core.utils.paths import studio_home
from ueo_core.workspace.imported_adapters import (
    MAX_BYTES,
    import_adapter,
    imported_adapters,
    remove_adapter,
)


@pytest.fixture
def adapter(tmp_path, tiny_files) -> bytes:
    config, weights = map(str, tiny_files["vit"])
    write_adapter(tmp_path / "d.safetensors", config, weights)
    return (tmp_path / "d.safetensors").read_bytes()


def test_an_adapter_that_fits_is_stored_unchanged(adapter):
    id = import_adapter(Job("k", "t"), adapter)
    assert import_adapter(Job("k", "t"), adapter) == id
    ((found, adapter_file),) = imported_adapters().items()
    assert (
        found == id
        and adapter_file.classes == CLASSES
        and adapter_file.title == "a run"
        and adapter_file.run is None
    )
    assert adapter_file.path.read_bytes() == adapter
    remove_adapter(id)
    assert imported_adapters() == {}
    assert list((studio_home() / "deltas").iterdir()) == []


def test_the_place_of_the_model_can_be_given(adapter, tiny_files, tmp_path):
    config, weights = tiny_files["vit"]
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes(weights.read_bytes())
    id = import_adapter(Job("k", "t"), adapter, pretrained=str(moved))
    assert imported_adapters()[id].settings.pretrained == str(moved)


def test_a_remote_viewer_cannot_make_the_server_read_files(adapter):
    with pytest.raises(UserError, match="does not read local files"):
        import_adapter(Job("k", "t"), adapter, files=False)
    assert imported_adapters() == {}


@pytest.mark.parametrize("kind", ["no delta", "too large", "other model"])
def test_an_adapter_that_does_not_fit_is_not_stored(kind, adapter, tiny_files):
    where = {}
    if kind == "other model":
        where = dict(zip(("backbone", "pretrained"), map(str, tiny_files["resnet"]), strict=True))
    data = {"no delta": b"x" * 100, "too large": b"x" * (MAX_BYTES + 1), "other model": adapter}[
        kind
    ]
    with pytest.raises(UserError):
        import_adapter(Job("k", "t"), data, **where)
    root = studio_home() / "deltas"
    assert not root.exists() or list(root.iterdir()) == []
