"""The study of evidence: it continues where it was interrupted, and its figures are what they say."""

import json

import numpy as np
import pytest
from PIL import Image

from ueo_core.cli.main import main
from ueo_core.drawings import sample
from ueo_core.evaluation.evidence import CRITERIA
from ueo_core.protocol import evidence_study
from ueo_core.protocol.evidence_study import World, markdown, study, summarize, worlds


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(sample, "PER_POOL_CLASS", 2)
    monkeypatch.setattr(sample, "PER_TEST_CLASS", 1)


def candidate(hm: float, value: float) -> dict:
    return {"hm": hm, "criteria": dict.fromkeys(CRITERIA, value)}


def test_regret_gain_and_correlation_on_a_computed_example():
    found = {
        "a": [candidate(50, 1.0), candidate(60, 2.0), candidate(70, 3.0)],  # the best is chosen
        "b": [candidate(80, 1.0), candidate(90, 0.5), candidate(70, 2.0)],  # the worst is
    }
    automatic = {"a": {"hm": 65, "preset": 48}, "b": {"hm": 90, "preset": 80}}
    summary = summarize(found, automatic)
    assert summary["automatic"] == {
        "regret": 2.5,
        "worst_regret": 5.0,
        "gain": 12.5,
        "worst": 10.0,
        "harmed": 0.0,
    }
    assert (summary["preset"]["gain"], summary["preset"]["harmed"]) == (-1.0, 0.5)
    row = summary["rows"][0]
    assert (summary["worlds"], summary["best"]) == (2, 15.0)
    assert (row["regret"], row["worst_regret"]) == (10.0, 20.0)
    assert (row["gain"], row["worst"], row["harmed"]) == (5.0, -10.0, 0.5)
    assert row["rho"] == pytest.approx((1 - 1) / 2)  # +1 and −1
    text = "\n".join(markdown(summary))
    assert "+5.00 | -10.0 | 50 %" in text and "+15.00 points over zero-shot" in text
    assert (
        "| the studio's own choice of rate and model | – | 2.50 | 5.0 | +12.50 | +10.0 | 0 % |"
        in text
    )
    assert markdown(summarize({}, {})) == ["No world is finished yet."]


def test_every_world_has_a_seed_of_its_own():
    found = worlds(["drawings-resnet", "drawings-vit"], ["noisy", "night"], ["open"], 600)
    assert [w.seed for w in found] == [600, 601, 602, 603]
    assert found[3] == World("drawings-vit", "night", "open", 603)
    assert [w.backbone for w in found[:2]] == ["drawings-resnet", "drawings-vit"]  # in turn
    again = worlds(["drawings-resnet"], ["noisy", "night"], ["open"], 600, 2)
    assert [(w.domain, w.seed) for w in again][2:] == [("noisy", 602), ("night", 603)]


def test_an_interrupted_study_is_continued(small, tmp_path, monkeypatch):
    world = World("drawings-resnet", "noisy", "open-partial", 601)
    whole = study([world], [0.25, 1], 1, tmp_path / "whole")
    assert whole["criteria"]["worlds"] == 1 and len(whole["criteria"]["rows"]) == len(CRITERIA)

    taken = []
    rows = evidence_study._rows

    def interrupted(*args):
        for rate, row in rows(*args):
            taken.append(rate)
            yield rate, row
            if len(taken) == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(evidence_study, "_rows", interrupted)
    out = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        study([world], [0.25, 1], 1, out)
    assert study([world], [0.25, 1], 1, out) == whole and taken == [0.25, 1, "auto"]
    assert study([world], [0.25, 1], 1, out) == whole and len(taken) == 3  # nothing is left
    auto = json.loads((out / "rows" / f"{world.name}-1-auto.json").read_text(encoding="utf-8"))
    assert {"zero", "hm", "preset", "lr", "model"} <= set(auto)
    row = json.loads((out / "rows" / f"{world.name}-1-1.json").read_text(encoding="utf-8"))
    assert [c["epoch"] for c in row["candidates"]] == [0, 1]
    assert row["candidates"][0]["change"] == 0 < row["candidates"][1]["change"]
    assert row["candidates"][0]["criteria"]["kept"] == 1


def test_without_criteria_the_choice_alone_is_measured_and_criteria_can_follow(small, tmp_path):
    world = World("drawings-resnet", "night", "closed", 602)
    fast = study([world], [1], 1, tmp_path, with_criteria=False)
    assert fast["criteria"]["worlds"] == 0 and fast["choice"]["problems"] == 1
    row = tmp_path / "rows" / f"{world.name}-1-1.json"
    assert "criteria" not in json.loads(row.read_text(encoding="utf-8"))["candidates"][0]
    both = study([world], [1], 1, tmp_path)  # the rows without criteria are made again
    assert both["criteria"]["worlds"] == 1 and both["choice"] == fast["choice"]
    assert (tmp_path / "choice.md").read_text(encoding="utf-8").startswith("| problems | n |")


def test_labeled_photos_in_place_of_drawings(tiny_files, tmp_path, capsys):
    g = np.random.default_rng(0)
    for folder in ("cat", "cup", "dog", "sun"):
        (tmp_path / "pets" / folder).mkdir(parents=True)
        for i in range(6):
            noise = Image.fromarray(g.integers(0, 256, (40, 48, 3), np.uint8))
            noise.save(tmp_path / "pets" / folder / f"{i}.png")
    config, weights = map(str, tiny_files["vit"])
    words = ["evidence", "--out", str(tmp_path / "out"), "--photos", str(tmp_path / "pets")]
    words += ["--epochs", "1", "--rates", "1", "--choice-only"]
    assert main([*words, "--backbone", config, "--pretrained", weights, "--shift", "open"]) == 0
    assert "tiny-vit · open | 1 |" in capsys.readouterr().out
    assert main(words) == 2
    assert "add --backbone" in capsys.readouterr().err


def test_the_command(small, tmp_path, capsys):
    words = ["evidence", "--out", str(tmp_path / "out"), "--backbones", "drawings-resnet"]
    words += ["--domain", "noisy", "--shift", "open", "--epochs", "1", "--rates", "1"]
    assert main(words) == 0
    assert "| evidence: the sum of the next five |" in capsys.readouterr().out
    assert (tmp_path / "out" / "evidence.md").is_file()
    assert main([*words[:-1], "0,1"]) == 2
    assert "these are no shares of the preset's learning rate" in capsys.readouterr().err
