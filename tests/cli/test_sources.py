"""Sources on the command line: class mapping, CSV labels, a test set of one's own."""

import csv
import json
import shutil

import pytest

from tests.cli.test_commands import adapt_options, photos, run  # noqa: F401
from ueo_core.cli.main import main
from ueo_core.runs.folder import RunFolder


def test_ingest_says_how_folders_relate_to_classes(run, photos, tmp_path):  # noqa: F811
    code, data, _ = run(
        "ingest", photos, "--store", tmp_path, "--json", "--classes", "dogs,cat,House"
    )
    assert code == 0
    assert data["classes"] == dict.fromkeys(("cat", "dog", "house", "tree", "zebra"), 4)
    assert data["mapping"] == {
        "exact": {"cat": "cat"},
        "suggestions": {"dog": "dogs", "house": "House"},
        "unmatched": ["tree", "zebra"],
    }
    assert "mapping" not in run("ingest", photos, "--store", tmp_path, "--json")[1]


def test_a_test_set_and_labels_are_scored_and_change_no_weight(
    run,
    photos,
    tiny_files,
    tmp_path,  # noqa: F811
):
    held = tmp_path / "held"
    for name in ("dog", "tree"):
        (held / name).mkdir(parents=True)
        for i in range(2):
            (held / name / f"{i}.png").write_bytes((photos / name / f"{i}.png").read_bytes())
    store = ("--store", tmp_path / "store")
    plain = adapt_options(tiny_files, tmp_path / "plain")
    scored = adapt_options(tiny_files, tmp_path / "scored")
    options = ("--holdout", held, "--labels", "folders", "--json")
    assert run("adapt", photos, *plain, *store)[0] == 0
    code, data, _ = run("adapt", photos, *scored, *store, *options)
    assert code == 0
    folder = RunFolder.open(tmp_path / "scored")
    assert folder.labels()["holdout"] == ["dog", "dog", "tree", "tree"]
    assert folder.labels()["pool"].count("zebra") == 4
    assert data["metrics"].keys() == {"pool", "holdout"}
    assert data["metrics"]["holdout"]["adapted"]["per_class"].keys() == {"dog"}
    adapters = [
        (tmp_path / name / "predictions.csv").read_text(encoding="utf-8")
        for name in ("plain", "scored")
    ]
    assert adapters[0] == adapters[1]
    evaluated = run("evaluate", tmp_path / "scored", held, *store, "--device", "cpu", "--json")[1]
    assert evaluated["adapted"]["acc"] == pytest.approx(
        data["metrics"]["holdout"]["adapted"]["acc"]
    )


def test_labels_from_a_csv(run, photos, tiny_files, tmp_path, capsys):  # noqa: F811
    table = tmp_path / "labels.csv"
    rows = "dog/0.png,cat\ncat/1.png,dog\nzebra/0.png,stranger\ngone.png,dog\n"
    table.write_text(f"path,label\n{rows}")
    options = adapt_options(tiny_files, tmp_path / "run")
    store = ("--store", tmp_path / "store")
    code, made, _ = run("adapt", photos, *options, *store, "--labels", table, "--json")
    counts = {
        "unlabeled": 17,
        "label_rows": 4,
        "label_rows_used": 3,
        "label_rows_unmatched": ["gone.png"],
        "label_conflicts": 0,
    }
    assert code == 0 and made["labels"] == {"pool": counts}
    labels = RunFolder.open(tmp_path / "run").labels()
    assert [v for v in labels["pool"] if v] == ["dog", "cat", "stranger"]
    assert labels["holdout"] is None
    code, data, _ = run(
        "evaluate", tmp_path / "run", photos, *store, "--device", "cpu", "--labels", table, "--json"
    )
    assert code == 0 and (data["n_id"], data["n_ood"]) == (2, 1)
    assert {k: data[k] for k in counts} == counts
    main(["evaluate", *map(str, (tmp_path / "run", photos, *store, "--labels", table))])
    assert "3 of 4 rows used; 17 of 20 images have no label." in capsys.readouterr().out


def test_copies_have_a_row_each(run, photos, tiny_files, tmp_path):  # noqa: F811
    source = tmp_path / "photos"
    shutil.copytree(photos / "dog", source / "dog")
    shutil.copy(source / "dog" / "0.png", source / "first.png")
    shutil.copy(source / "dog" / "0.png", source / "again.png")
    store = ("--store", tmp_path / "store")
    code, made, _ = run(
        "adapt", source, *adapt_options(tiny_files, tmp_path / "r"), *store, "--json"
    )
    assert code == 0 and made["images"] == 4  # it adapts to each image once
    code, told, _ = run(
        "predict", tmp_path / "r", source, "--csv", tmp_path / "p.csv", *store, "--json"
    )
    assert code == 0 and (told["images"], told["duplicates"]) == (6, 2)
    assert told["duplicate_names"] == [
        {"name": "dog/0.png", "same_as": "again.png"},
        {"name": "first.png", "same_as": "again.png"},
    ]
    for path in (tmp_path / "p.csv", tmp_path / "r" / "predictions.csv"):
        with open(path, encoding="utf-8", newline="") as file:
            rows = {r.pop("path"): r for r in csv.DictReader(file)}
        assert list(rows) == ["again.png", *(f"dog/{i}.png" for i in range(4)), "first.png"]
        assert rows["again.png"] == rows["first.png"] == rows["dog/0.png"] != rows["dog/1.png"]
    out = tmp_path / "sorted"
    options = ("--what", "folders", "--to", out, "--originals", source)
    code, told, _ = run("export", tmp_path / "r", *options, *store, "--json")
    assert code == 0 and (told["images"], told["originals"], told["failed"]) == (6, 6, [])
    assert len(list(out.rglob("*.png"))) == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--holdout-labels", "x.csv"), "there is no test set for them"),
        (("--holdout", "{flat}"), "none has a label"),
        (("--labels", "{flat}/none.csv"), "cannot be read"),
        (("--holdout", "{flat}/none"), "no such folder"),
    ],
)
def test_what_cannot_be_scored_is_a_sentence(
    run,
    photos,
    tiny_files,
    tmp_path,
    options,
    message,  # noqa: F811
):
    flat = tmp_path / "flat"
    flat.mkdir()
    (flat / "a.png").write_bytes((photos / "dog" / "0.png").read_bytes())
    given = [part.format(flat=flat) for part in options]
    code, _, err = run(
        "adapt",
        photos,
        *adapt_options(tiny_files, tmp_path / "r"),
        *given,
        "--store",
        tmp_path / "s",
    )
    assert code == 2 and message in err and err.count("\n") == 1
    assert not (tmp_path / "r").exists()


def test_limits_are_settings(run, photos, tmp_path, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setenv("UEO_STUDIO_LIMITS", "max_pixels=1_000, max_files = 500")
    code, data, _ = run("ingest", photos, "--store", tmp_path, "--json")
    assert code == 0 and data["usable"] == 0
    assert "max_pixels = 1,000" in json.dumps(data["skipped"])
    main(["ingest", str(photos), "--store", str(tmp_path)])
    assert "limits are settings: UEO_STUDIO_LIMITS=" in capsys.readouterr().out
    for value, message in (
        ("max_pixel=3", "no limit 'max_pixel'"),
        ("max_files=many", "not a positive"),
    ):
        monkeypatch.setenv("UEO_STUDIO_LIMITS", value)
        code, _, err = run("ingest", photos, "--store", tmp_path)
        assert code == 2 and message in err


def test_labels_that_almost_match_are_named_before_the_run(run, photos, tiny_files, tmp_path):  # noqa: F811
    table = tmp_path / "labels.csv"
    table.write_text("path,label\ndog/0.png,Dogs\ncat/1.png,cat\n", encoding="utf-8")
    options = adapt_options(tiny_files, tmp_path / "run")
    store = ("--store", tmp_path / "store")
    code, _, err = run("adapt", photos, *options, *store, "--labels", table)
    assert code == 0
    assert "label 'Dogs' almost matches the class 'dog' but counts as unknown (OOD)" in err
    # Told before anything of the run, whose folder holds the label as it was given.
    assert "Dogs" in RunFolder.open(tmp_path / "run").labels()["pool"]
