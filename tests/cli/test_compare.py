"""`compare` on the command line: the numbers of the page, and plain sentences for bad input."""

import json

import pytest

from tests.analysis.test_compare import compared_run, run_of, zero_shot
from tests.analysis.test_method_evidence import guard
from tests.helpers.run_folders import write_run
from ueo_core.analysis.compare import table
from ueo_core.analysis.paired_tests import against
from ueo_core.cli.main import main
from ueo_core.inference.adapter_file import ADAPTER_NAME
from ueo_core.models.adapted_clip import read_adapter, save_adapter


@pytest.fixture
def call(capsys):
    """Runs a command. → exit code, stdout, stderr"""

    def go(*words):
        code = main([str(w) for w in words])
        return (code, *capsys.readouterr())

    return go


@pytest.fixture
def pair():
    a = compared_run("a")
    return [a, compared_run("b", run_of(a), {"seed": 1}, skill=(0.03, 0.07))]


def test_json_has_the_numbers_of_the_table_and_of_the_tests(call, pair):
    paths = [run_of(c).path for c in pair]
    code, out, _ = call("compare", *paths, paths[0], "--json")
    data = json.loads(out.splitlines()[-1])
    assert code == 0 and (data["set"], data["score"]) == ("pool", "mcm")
    assert data["differences"] == {"seed": {str(paths[0]): "0", str(paths[1]): "1"}}
    for row, expected in zip(data["rows"], table(pair), strict=True):
        assert row["title"] == expected.title
        assert row["hm"] == {
            "mean": expected.figures["hm"].value,
            "deviation": expected.figures["hm"].deviation,
        }
    assert data["evidence"] == []
    for test, expected in zip(data["tests"], against(pair, zero_shot(pair[0])), strict=True):
        assert test["p_holm"] == expected.p_holm and test["n_known"] == 60
        interval = expected.metrics["auc"].difference
        assert test["metrics"]["auc"]["difference"] == {
            "value": interval.value,
            "low": interval.low,
            "high": interval.high,
        }
    assert data["test_names"]["p"] == "exact McNemar test, two-sided"


def test_a_run_can_be_the_reference_and_the_text_names_the_tests(call, pair):
    a, b = (run_of(c).path for c in pair)
    code, out, _ = call("compare", a, b, "--reference", b, "--score", "msp")
    assert code == 0 and f"{a} against {b}: +" in out and f"{b} against" not in out
    assert "exact McNemar test, two-sided" in out and "paired bootstrap" in out


def test_bad_input_is_one_sentence(call, pair, tmp_path):
    a = run_of(pair[0]).path
    paused = write_run("p", state="paused").path
    for words, reason in (
        ((tmp_path / "none",), "there is no run in that folder"),
        ((a, "--reference", tmp_path), "it is not among the runs"),
        ((a, "--set", "holdout"), "it has no test set"),
        ((a, paused), "it has no result yet (state: paused)"),
        ((a, "--score", "luck"), "invalid choice: 'luck'"),
    ):
        code, out, err = call("compare", *words)
        assert (code, out) == (2, "") and reason in err and err.count("\n") == 1


def test_other_images_are_a_caution_and_get_no_test(call, pair):
    a, other = run_of(pair[0]).path, write_run("elsewhere", n=40).path
    code, out, _ = call("compare", a, other, "--json")
    data = json.loads(out.splitlines()[-1])
    assert code == 0 and "2 different sets of images" in data["cautions"][0]
    assert [t["run"] for t in data["tests"]] == [str(a)]


def test_it_says_which_method_evidence_speaks_for(call):
    a = compared_run("a", labeled=False)
    b = compared_run("b", run_of(a), {"method": "batclip"}, labeled=False)
    for opened, evidence in ((a, 4.2), (b, 4.1)):
        path = run_of(opened).path / ADAPTER_NAME
        adapter, about = read_adapter(path)
        save_adapter(path, adapter, about | {"guard": guard(evidence)})
    code, out, _ = call("compare", run_of(a).path, run_of(b).path, "--json")
    (sentence,) = json.loads(out.splitlines()[-1])["evidence"]
    assert code == 0 and sentence in out
    assert sentence.startswith(
        "Evidence without labels speaks for no method on these images (UEO 4.20"
    )
