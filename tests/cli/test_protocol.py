"""`protocol` and `table` as scripts use them."""

import json

import pytest

from tests.cli.test_commands import photos, run  # noqa: F401 (fixtures)


def options(tiny_files, out, **changes):
    config, weights = tiny_files["vit"]
    chosen = {
        "--classes": "dog,cat,house",
        "--out": out,
        "--backbone": config,
        "--pretrained": weights,
        "--epochs": 1,
        "--batch-size": 8,
        "--lr": 0.01,
        "--device": "cpu",
        "--seeds": 1,
        "--methods": "zero-shot,infomax,transclip",
        "--shift": "all",
    } | changes
    return [part for pair in chosen.items() for part in pair]


def test_rows_for_every_shift_method_and_seed_and_files_beside(run, photos, tiny_files, tmp_path):  # noqa: F811
    code, data, _ = run("protocol", photos, *options(tiny_files, tmp_path / "out"), "--json")
    assert code == 0
    keys = [(r["shift"], r["method"], r["seed"]) for r in data["rows"]]
    shifts = ("closed", "partial", "open", "open-partial")
    methods = ("zero-shot", "infomax", "transclip")
    assert keys == [(s, m, 0) for s in shifts for m in methods]
    assert {"acc", "auc", "hm", "fpr95"} <= set(data["rows"][0])
    assert (
        json.loads((tmp_path / "out/table.json").read_text(encoding="utf-8"))["rows"]
        == data["rows"]
    )
    assert (tmp_path / "out/table.csv").is_file()
    # The same command again takes what is there: not even the seconds differ.
    _, again, _ = run("protocol", photos, *options(tiny_files, tmp_path / "out"), "--json")
    assert again == data
    _, more, _ = run(
        "protocol", photos, *options(tiny_files, tmp_path / "out", **{"--seeds": 2}), "--json"
    )
    assert len(more["rows"]) == 24 and [r for r in more["rows"] if r["seed"] == 0] == data["rows"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--methods": "ueo,magic"}, "magic"),
        ({"--shift": "wide"}, "wide"),
        ({"--classes": "sun,moon"}, "none of its folders"),
        ({"--seeds": 0}, "seeds"),
        ({"--test-share": 1.5}, "test share"),
        ({"--pool-classes": "dog,fox"}, "fox"),
    ],
)
def test_bad_input_is_one_sentence(run, photos, tiny_files, tmp_path, changes, message):  # noqa: F811
    code, _, err = run("protocol", photos, *options(tiny_files, tmp_path / "out", **changes))
    assert code == 2 and message in err and len(err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_table_of_drawings_refuses_another_model(run, tmp_path):  # noqa: F811
    code, _, err = run("table", "--out", tmp_path / "t", "--backbones", "RN50")
    assert code == 2 and "drawings-vit" in err
