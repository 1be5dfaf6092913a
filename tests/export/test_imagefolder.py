"""`imagefolder`, read by Hugging Face's own reader."""

import pytest

from tests.export.conftest import FILES
from ueo_core.export.formats import PREDICTIONS

datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")


def test_datasets_reads_every_row_with_its_image(batch, tmp_path):
    PREDICTIONS["imagefolder"].write(tmp_path / "val" / "out", batch)
    found = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "val" / "out"), cache_dir=str(tmp_path / "cache")
    )
    assert list(found) == ["train"]  # though a name has "test" in it, and the path "val"
    rows = {row["path"]: row for row in found["train"]}
    assert sorted(rows) == FILES
    for file in batch:
        row = rows[file.path]
        assert (row["prediction"], row["confidence"], row["score"], row["unknown"]) == file[2:6]
    assert rows["a/test_1.png"]["image"].convert("RGB").getpixel((7, 9)) != (
        rows["b/test_1.png"]["image"].convert("RGB").getpixel((7, 9))
    )
    assert rows["gone.png"]["image"].size == (48, 32)  # the stored image
