"""`bench`: one row for both options, class names, photos, and what is refused."""

import io
import json

import pytest
from PIL import Image

from ueo_core.bench import run
from ueo_core.bench.names import MOST, class_names
from ueo_core.bench.photos import photo
from ueo_core.cli.main import main
from ueo_core.utils.errors import UserError

KEYS = {"backbone", "classes", "batch", "plain_seconds", "seconds", "ratio", "plain_memory_mb"}


def bench(capsys, *options: str) -> list[dict]:
    assert main(["bench", *options, "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]


def test_both_options_give_one_row(capsys):
    rows = bench(
        capsys,
        "--backbone",
        "drawings-resnet",
        "--classes",
        "5",
        "--batch-size",
        "4",
        "--rounds",
        "2",
        "--device",
        "cpu",
        "--threads",
        "1",
    )
    assert len(rows) == 1 and rows[0].keys() >= KEYS
    row = rows[0]
    assert (row["backbone"], row["classes"], row["batch"]) == ("drawings-resnet", 5, 4)
    assert row["ratio"] == pytest.approx(row["plain_seconds"] / row["seconds"], rel=0.02)
    assert row["spread"][0] <= row["seconds"] <= row["spread"][1]
    assert row["memory_mb"] > 100
    # A step multiplies at least all weights of the image tower forward and back, for 4 images.
    assert row["gflop"] > 0.01 and row["peak_share"] > 0
    assert row["peak_share"] == pytest.approx(
        100 * row["gflop"] / row["seconds"] / row["peak_gflops"], rel=0.05
    )


@pytest.mark.long
def test_the_whole_adaptation_is_one_row(capsys):
    rows = bench(
        capsys,
        "--backbone",
        "drawings-vit",
        "--classes",
        "5",
        "--batch-size",
        "4",
        "--rounds",
        "1",
        "--device",
        "cpu",
        "--whole",
        "--photos",
        "4",
        "--epochs",
        "1",
    )
    assert len(rows) == 1 and rows[0]["what"] == "whole"
    assert (rows[0]["photos"], rows[0]["epochs"]) == (4, 1)


def test_without_options_every_pair_is_a_task():
    from ueo_core.bench.processes import Task

    todo = run.tasks(run.BACKBONES, run.CLASSES, Task("", None, 0, 64, "cpu", 1, None), None)
    assert {(t.backbone, t.classes) for t in todo} == {
        (b, c) for b in run.BACKBONES for c in (10, 100, 345)
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--backbone", "RN999"], "open_clip has no such model"),
        (["--classes", "1"], "choose a number from 2"),
        (["--rounds", "0"], "choose 1 or more"),
        (["--threads", "0"], "give 1 or more"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_sentence(capsys, options, message):
    assert main(["bench", "--backbone", "drawings-resnet", "--classes", "3", *options]) == 2
    assert message in capsys.readouterr().err


def test_class_names_are_distinct_and_as_many_as_asked():
    for n in (2, 36, 345, 1000, MOST):
        names = class_names(n)
        assert len(names) == n == len(set(names))
    assert class_names(345)[:100] == class_names(100)
    with pytest.raises(UserError):
        class_names(MOST + 1)


def test_a_photo_is_a_large_jpeg_and_a_function_of_its_index():
    first = photo(3, 400, 300)
    with Image.open(io.BytesIO(first)) as image:
        assert (image.format, image.size) == ("JPEG", (400, 300))
    assert photo(3, 400, 300) == first != photo(4, 400, 300)
