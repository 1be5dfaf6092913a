"""`export` of predictions and of the estimator, for every form of images."""

import json
import shutil
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

import ueo_core as ueo
from tests.api.test_estimator import fitted, folder_of, options, pixels  # noqa: F401
from ueo_core.export.formats import MODELS, PREDICTIONS


def coco(folder) -> dict[str, tuple]:
    """Path → size and bytes of the copy."""
    read = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    return {
        i["path"]: ((i["width"], i["height"]), (folder / "images" / i["file_name"]).read_bytes())
        for i in read["images"]
    }


def test_originals_of_a_folder_of_a_zip_and_of_a_list_are_copied(fitted, tmp_path):  # noqa: F811
    photos = folder_of(tmp_path / "photos", pixels(3), ["a/x.png", "b/x.png", "y.png"])
    (photos / "z.png").write_bytes((photos / "y.png").read_bytes())  # the same bytes
    shutil.make_archive(str(tmp_path / "photos"), "zip", photos)
    own = {n: (photos / n).read_bytes() for n in ("a/x.png", "b/x.png", "y.png", "z.png")}
    expected = {name: ((48, 40), data) for name, data in own.items()}
    for number, X in enumerate((photos, tmp_path / "photos.zip")):
        found = fitted.predict(X)
        found.export("coco", tmp_path / f"{number}")
        assert coco(tmp_path / f"{number}") == expected
    paths = [photos / name for name in own]
    fitted.predict(paths).export("coco", tmp_path / "list")
    assert coco(tmp_path / "list") == {str(photos / n): v for n, v in expected.items()}


def test_pixels_are_written_as_jpeg(fitted, tmp_path):  # noqa: F811
    class Dataset:
        def __len__(self):
            return 2

        def __getitem__(self, i):
            return Image.fromarray(pixels(2)[i]), "a label"

    for number, X in enumerate((pixels(2), [Image.fromarray(p) for p in pixels(2)], Dataset())):
        fitted.predict(X).export("coco", tmp_path / str(number))
        written = coco(tmp_path / str(number))
        assert list(written) == ["000000", "000001"]
        assert all(
            size == (48, 40) and data[:3] == b"\xff\xd8\xff" for size, data in written.values()
        )


def test_every_format_is_written(fitted, tmp_path):  # noqa: F811
    found = fitted.predict(folder_of(tmp_path / "photos", pixels(3)))
    with torch.no_grad():
        same = fitted.model_.cosines(torch.from_numpy(found.features))
    assert np.array_equal(same.numpy(), found.cosines)
    for name, made in PREDICTIONS.items():
        found.export(name, tmp_path / name)
        assert (tmp_path / name).is_dir() == bool(made.tree)
    found.to_csv(tmp_path / "same.csv")
    assert (tmp_path / "csv").read_bytes() == (tmp_path / "same.csv").read_bytes()
    for name in MODELS:
        fitted.export(name, tmp_path / f"model.{name}", model="recommended")
    fitted.save(tmp_path / "same.safetensors", model="recommended")
    again = ueo.UEO.load(tmp_path / "model.adapter").model_.adapter()
    same = ueo.UEO.load(tmp_path / "same.safetensors").model_.adapter()
    assert all((again[k] == same[k]).all() for k in same)


def test_what_became_of_the_images_since(fitted, tmp_path):  # noqa: F811
    photos = folder_of(tmp_path / "photos", pixels(3))
    found = fitted.predict(photos)
    (photos / "01.png").write_bytes((photos / "00.png").read_bytes())  # not what was predicted
    with pytest.warns(UserWarning, match=r"1 of 3 files were not written .01.png"):
        found.export("folders", tmp_path / "out")
    shutil.rmtree(photos)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found.export("parquet", tmp_path / "out.parquet")
    with pytest.raises(ValueError, match="no file could be written"):
        found.export("imagefolder", tmp_path / "out2")


def test_bad_arguments(fitted, tmp_path):  # noqa: F811
    found = fitted.predict(pixels(2))
    with pytest.raises(ValueError, match="Format “yolo”: not known; choose one of csv"):
        found.export("yolo", tmp_path / "x")
    with pytest.raises(ValueError, match="choose one of adapter, script, onnx"):
        fitted.export("csv", tmp_path / "x")
    assert not list(tmp_path.glob("x*"))
