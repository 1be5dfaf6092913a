"""COCO's JSON, by hand and read by pycocotools."""

import json

import pytest

from tests.export.conftest import CLASSES, LABELS
from ueo_core.export.formats import PREDICTIONS


@pytest.fixture
def written(batch, tmp_path):
    PREDICTIONS["coco"].write(tmp_path / "out", batch)
    return tmp_path / "out"


def test_images_have_their_upright_size_and_one_annotation_each(written, batch):
    data = json.loads((written / "annotations.json").read_text(encoding="utf-8"))
    assert [c["name"] for c in data["categories"]] == [*CLASSES, "unknown (2)"]
    sizes = {i["path"]: (i["width"], i["height"]) for i in data["images"]}
    assert sizes["turned.jpg"] == (40, 60) and sizes["a/test_1.png"] == (60, 40)
    assert sizes["gone.png"] == (48, 32)
    for file, image, one in zip(batch, data["images"], data["annotations"], strict=True):
        assert image["path"] == file.path and one["image_id"] == image["id"]
        assert (one["score"], one["ood_score"]) == (file.confidence, file.score)
        assert one["bbox"] == [0, 0, image["width"], image["height"]]
        assert (written / "images" / image["file_name"]).is_file()
    assert data["info"]["threshold"] == batch.threshold


def test_pycocotools_finds_the_images_of_a_category(written):
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    read = coco.COCO(str(written / "annotations.json"))
    for name in (*CLASSES, "unknown (2)"):
        ids = read.getImgIds(catIds=read.getCatIds(catNms=[name]))
        assert {i["path"] for i in read.loadImgs(ids)} == {
            p for p, x in LABELS.items() if x == name
        }
    large = read.loadAnns(read.getAnnIds(areaRng=[1600, 1e9], iscrowd=False))
    assert len(large) == 5  # all but the stored one
