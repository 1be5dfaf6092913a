"""Compare: the numbers on the page are those of the core, in every state of the page."""

import re

import pytest

from tests.analysis.test_compare import compared_run, run_of, zero_shot
from tests.analysis.test_method_evidence import guard
from tests.helpers.pages import app, at, button, clean  # noqa: F401
from tests.helpers.run_folders import write_run
from tests.ui.inspect.test_page import html, plain
from ueo_core.analysis.compare import Model, labels, table
from ueo_core.analysis.paired_tests import against, summary_sentence
from ueo_core.inference.adapter_file import ADAPTER_NAME
from ueo_core.models.adapted_clip import read_adapter, save_adapter
from ueo_core.runs.manager import Manager
from ueo_core.utils.files import write_json
from ui.common import shell


@pytest.fixture
def three(own_home):
    a = compared_run("a", skill=(0.03, 0.12))
    b = compared_run("b", run_of(a), {"seed": 1}, skill=(0.03, 0.08))
    c = compared_run(
        "c", run_of(a), {"method": "infomax"}, skill=(0.03, 0.05), title="InfoMax · <b>"
    )
    return [a, b, c]


def rows_of(page) -> list[list[str]]:
    """Cells of all tables on the page, row by row, without their markup."""
    found = []
    for row in re.findall(r"<tr>(.*?)</tr>", html(page)):
        found.append([re.sub("<.*?>", "", c) for c in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row)])
    return found


def test_the_table_shows_the_means_of_the_core(app, three):  # noqa: F811
    page = at(app, "5_Compare", runs="a,b,c")
    rows = rows_of(page)
    for row in table(three):
        cells = next(r for r in rows if r[0] == row.title and len(r) == 8)
        assert cells[1] == (", ".join(map(str, row.seeds)) or "–")
        shown = [c.replace("★ ", "") for c in cells[2:6]]
        assert shown == [str(row.figures[k]) for k in ("acc", "auc", "hm", "fpr95")]
    best = max(table(three), key=lambda r: r.figures["hm"].value)
    assert next(r for r in rows if r[0] == best.title)[4].startswith("★")


def test_the_tests_are_those_of_the_core_against_zero_shot_and_against_a_run(app, three):  # noqa: F811
    page = at(app, "5_Compare", runs="a,b,c")
    names = labels(three)
    assert plain(page.info).startswith(
        summary_sentence(against(three, zero_shot(three[0])), names, "Zero-shot")
    )
    page.selectbox(key="compare.reference").set_value("b").run()
    tests = against(three, Model("", three[1], "after"))
    shown = [r for r in rows_of(clean(page)) if len(r) == 7]
    assert [r[0] for r in shown[1:]] == [names[t.run] for t in tests]
    for cells, test in zip(shown[1:], tests, strict=True):
        assert cells[1:3] == [str(test.gained), str(test.lost)]
        d = test.metrics["auc"].difference
        assert cells[5].endswith(f"{d.value:+.1f} ({d.low:+.1f} to {d.high:+.1f})")
    assert "n = 60" in plain(page.caption) and "exact McNemar" in plain(page.caption)


def test_without_runs_in_the_url_the_newest_runs_on_the_same_data_are_chosen(app, three):  # noqa: F811
    page = at(app, "5_Compare")
    assert page.multiselect(key="compare.runs").value == ["a", "b", "c"]
    page.multiselect(key="compare.runs").set_value(["a"]).run()
    assert page.query_params["runs"] in ("a", ["a"])
    assert "Select a second run" in plain(clean(page).caption)
    page.multiselect(key="compare.runs").set_value([]).run()
    assert "Choose the runs" in plain(clean(page).info)
    button(page, "Select the latest runs on the same data").click().run()
    assert page.multiselect(key="compare.runs").value == ["a", "b", "c"]


def test_names_of_runs_are_escaped(app, three):  # noqa: F811
    page = at(app, "5_Compare", runs="a,c")
    assert "<b>★" in html(page) and "InfoMax · <b>" not in html(page)


def test_runs_on_different_data_have_a_warning_and_are_not_tested(app, three):  # noqa: F811
    write_run("elsewhere", n=40, title="elsewhere")
    page = at(app, "5_Compare", runs="a,elsewhere")
    assert "2 different sets of images" in plain(page.warning)
    assert "Not tested, because images" in plain(page.caption)
    assert "★" not in html(page)


def test_images_that_differ_can_be_filtered(app, three):  # noqa: F811
    page = at(app, "5_Compare", runs="a,b,c")
    page.selectbox(key="compare.A").set_value("a").run()
    page.selectbox(key="compare.B").set_value("c").run()
    left, right = (three[i].predictions["after"] for i in (0, 2))
    differ = left.prediction != right.prediction
    assert f"{differ.sum()} of 80 images" in plain(clean(page).caption)
    page.selectbox(key="compare.answer.A").set_value(1).run()
    narrowed = int((differ & (left.prediction == 1)).sum())
    assert f"{narrowed} of these {differ.sum()} images" in plain(clean(page).caption)
    assert html(page).count('class="ueo-thumb"') == min(48, narrowed)


def test_without_labels_no_metric_is_shown(app):  # noqa: F811
    a = compared_run("a", labeled=False)
    compared_run("b", run_of(a), {"method": "entmin"}, labeled=False, skill=(0.03, 0.02))
    page = at(app, "5_Compare")
    assert "the runs cannot be ranked" in plain(page.info)
    assert "Evidence" not in plain(page.info)  # none was measured
    assert "ACC" not in html(page) and "Same prediction as zero-shot" in html(page)


def test_an_unknown_run_and_an_unfinished_one_are_warnings(app, three):  # noqa: F811
    write_run("p", state="paused", title="halted")
    page = at(app, "5_Compare", runs="a,nowhere,p")
    warnings = plain(page.warning)
    assert "“nowhere”: there is no run with this name" in warnings
    assert "“halted” has no result yet (state: paused)" in warnings
    assert page.multiselect(key="compare.runs").value == ["a"]


def test_without_a_run_the_page_says_how_to_start_one(app):  # noqa: F811
    assert "There is no run yet" in plain(at(app, "5_Compare").info)
    assert button(app, "Watch it work now").proto.type == "primary"
    write_run("broken", state="failed")
    assert plain(clean(app.run()).info) == "No run is finished or in progress."


def test_baselines_are_queued_once_for_two_clicks(app, three, monkeypatch):  # noqa: F811
    monkeypatch.setattr(Manager, "_work", lambda self: None)  # they stay queued
    page = at(app, "5_Compare", runs="a")
    assert "1 new run" in plain(page.markdown)  # InfoMax at the same seed exists already
    button(page, "Queue 1 run").click().run()
    first = shell.manager().queue()
    assert len(first) == 1 and shell.manager().folder(first[0]).settings.method == "entmin"
    assert page.multiselect(key="compare.runs").value == ["a", "c", *first]
    assert "1 run in progress" in plain(clean(page).markdown)
    button(page, "Show these runs").click().run()
    assert shell.manager().queue() == first
    button(page, "Cancel").click().run()
    assert shell.manager().queue() == []


def test_baselines_choose_their_own_rates_where_the_run_did(app, three, monkeypatch):  # noqa: F811
    monkeypatch.setattr(Manager, "_work", lambda self: None)
    own = "compare.own_rates."
    page = at(app, "5_Compare", runs="a")
    assert page.toggle(key=f"{own}a").value is False  # it was given its rate
    page.toggle(key=f"{own}a").set_value(True).run()
    button(page, "Queue 3 runs").click().run()  # UEO too, for a fair comparison
    made = [shell.manager().folder(run) for run in shell.manager().queue()]
    assert [f.settings.method for f in made] == ["ueo", "infomax", "entmin"]
    assert {f.config["settings"]["lr"] for f in made} == {"auto"}
    folder = run_of(three[1])
    config = folder.config
    config["settings"]["lr"] = "auto"
    write_json(folder.path / "config.json", config)
    folder.update(lr=0.1)
    page = at(app, "5_Compare", runs="b")
    assert page.toggle(key=f"{own}b").value is True
    assert "of training, with the search for a rate" in plain(page.markdown)


def test_the_page_says_which_method_evidence_speaks_for(app, own_home):  # noqa: F811
    a = compared_run("a", labeled=False)
    b = compared_run("b", run_of(a), {"method": "infomax"}, labeled=False)
    for opened, evidence in ((a, 3.5), (b, 4.0)):
        path = run_of(opened).path / ADAPTER_NAME
        adapter, about = read_adapter(path)
        save_adapter(path, adapter, about | {"guard": guard(evidence)})
    assert (
        "Evidence without labels speaks for InfoMax on these images (4.00 of 5; UEO 3.50); UEO stays "
        "the default." in plain(at(app, "5_Compare", runs="a,b").info)
    )


def test_the_curves_shown_first_are_curves():
    from ueo_core.analysis.compare_curves import CURVES
    from ui.compare.curves import SHOWN_FIRST

    assert set(SHOWN_FIRST) <= set(CURVES)
