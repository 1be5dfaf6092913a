"""XMP sidecars, by hand and read by exiftool; those of other programs are never touched."""

import json
import shutil
import subprocess
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.export.conftest import FILES, LABELS
from ueo_core.export.formats import PREDICTIONS
from ueo_core.export.predicted_images import PredictedImages
from ueo_core.inference.predictions import Predictions
from ueo_core.utils.errors import UserError

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
KEYWORDS = {**LABELS, "gone.png": "sea/lion"}  # "|" would divide a keyword into two levels


def test_a_sidecar_beside_every_photo_with_its_keyword(batch, tmp_path):
    PREDICTIONS["xmp"].write(tmp_path / "out", batch)
    found = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.xmp")}
    assert found == {f"{name}.xmp" for name in FILES}
    for name in FILES:
        read = ElementTree.parse(tmp_path / "out" / f"{name}.xmp")
        words = [item.text for item in read.iter(f"{RDF}li")]
        assert words == [KEYWORDS[name], f"UEO Studio|{KEYWORDS[name]}"]


@pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed")
def test_exiftool_reads_them(batch, tmp_path):
    PREDICTIONS["xmp"].write(tmp_path / "out", batch)
    told = subprocess.run(
        [
            "exiftool",
            "-j",
            "-r",
            "-ext",
            "xmp",
            "-Subject",
            "-HierarchicalSubject",
            tmp_path / "out",
        ],
        capture_output=True,
        check=True,
    )
    rows = {r["SourceFile"]: r for r in json.loads(told.stdout)}
    for name in FILES:
        row = rows[str(tmp_path / "out" / f"{name}.xmp")]
        assert row["Subject"] == KEYWORDS[name]
        assert row["HierarchicalSubject"] == f"UEO Studio|{KEYWORDS[name]}"


def test_beside_the_photos_only_our_own_sidecars_are_written_anew(batch, photos):
    other = photos / "turned.jpg.xmp"
    other.write_text('<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">')
    before = {p: p.read_bytes() for p in photos.rglob("*") if p.is_file()}
    for _ in range(2):
        made = PREDICTIONS["xmp"].write(photos, batch)
        assert {f.name: f.reason.partition(" ")[0] for f in made.failed} == {
            "turned.jpg": "a",  # sidecar of another program
            "gone.png": "the",  # photo is not there
        }
    after = {p: p.read_bytes() for p in photos.rglob("*") if p.is_file()}
    assert {p: after[p] for p in before} == before
    assert {p.relative_to(photos).as_posix() for p in after.keys() - before.keys()} == {
        f"{n}.xmp" for n in FILES if n not in ("turned.jpg", "gone.png")
    }
    # A new threshold changes ours.
    strict = PredictedImages(batch.predictions, 1.0, batch.title, batch.source)
    PREDICTIONS["xmp"].write(photos, strict)
    text = (photos / "a" / "test_1.png.xmp").read_text(encoding="utf-8")
    assert "UEO Studio|unknown (2)" in text


def test_the_wrong_folder_is_refused(batch, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no file could be written .the photo is not there"):
        PREDICTIONS["xmp"].write(tmp_path / "empty", batch)
    assert list((tmp_path / "empty").iterdir()) == []


def test_absolute_paths_are_taken_from_the_folder_that_holds_all(tmp_path):
    names = [str(tmp_path / "p" / "a" / "x.jpg"), str(tmp_path / "p" / "y.jpg")]
    found = Predictions(names, np.array([[0.3, 0.1], [0.1, 0.3]], np.float32), ["a", "b"], 10.0)
    PREDICTIONS["xmp"].write(tmp_path / "out", PredictedImages(found, 0.0))
    assert sorted(
        p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.xmp")
    ) == [
        "a/x.jpg.xmp",
        "y.jpg.xmp",
    ]
