"""The Protocol tab: choices, the table of results so far, downloads, continuing."""

import re

from tests.helpers.pages import app, at, button, clean, errors, small_sample, wait_for_job  # noqa: F401
from tests.ui.inspect.test_page import html, plain
from tests.workspace.test_study import drawn
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import write_json
from ueo_core.workspace.study import Study, save_study, studies, study_rows

FIGURES = ("acc", "auc", "hm", "fpr95", "auc_msp", "hm_msp", "fpr95_msp")


def row_of(shift: str, seed: int, method: str, value: float) -> dict:
    found = dict.fromkeys(FIGURES, value)
    return {
        "backbone": "drawings-resnet",
        "shift": shift,
        "method": method,
        "seed": seed,
        "n_pool": 10,
        "n_test": 10,
        **found,
        "pool": found,
        "seconds": 1.0,
    }


def kept(values: dict) -> Study:
    """A study on disk with rows made by hand. values: (shift, seed, method) → every figure"""
    study = drawn(shifts=("closed", "open"), methods=("zero-shot", "ueo"), seeds=2)
    save_study(study)
    for (shift, seed, method), value in values.items():
        path = study.folder / "out" / "drawings-resnet" / "rows" / f"{shift}-{seed}-{method}.json"
        write_json(path, row_of(shift, seed, method, value))
    return study


VALUES = {
    ("closed", 0, "zero-shot"): 50.0,
    ("closed", 1, "zero-shot"): 54.0,
    ("closed", 0, "ueo"): 60.0,
    ("closed", 1, "ueo"): 66.0,
    ("open", 0, "zero-shot"): 40.0,
    ("open", 0, "ueo"): 39.0,
}


def cells(page) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", html(page))
    return [
        [re.sub("<.*?>", "", c) for c in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", r)] for r in rows
    ]


def test_the_table_has_means_deviations_and_the_best_and_gains_are_paired(app):  # noqa: F811
    study = kept(VALUES)
    page = at(app, "5_Compare", view="protocol", protocol=study.id)
    assert cells(page) == [
        ["", "Seeds", "closed", "open", "Mean over shifts", "Worst gain"],
        ["Zero-shot", "1–2", "52.0 ± 2.8", "★ 40.0", "46.0", "–"],
        ["UEO", "1–2", "★ 63.0 ± 4.2", "39.0", "51.0", "-1.0"],
    ]
    page.toggle(key="protocol.gain").set_value(True).run()
    assert cells(clean(page))[2] == ["UEO", "1–2", "★ +11.0 ± 1.4", "-1.0", "+5.0", "-1.0"]
    assert len(page.get("plotly_chart")) == 1
    assert "6 of 8 results are finished" in plain(page.caption)


def test_a_new_protocol_runs_in_the_background_and_is_shown(app, small_sample):  # noqa: F811
    page = at(app, "5_Compare", view="protocol")
    page.number_input(key="protocol.epochs.drawings-resnet").set_value(1)
    page.number_input(key="protocol.seeds").set_value(1)
    page.button_group(key="protocol.shifts.closed.partial.open.open-partial").set_value(["closed"])
    page.button_group(key="protocol.methods").set_value(["zero-shot", "transclip"]).run()
    assert "2 results" in plain(clean(page).markdown)
    button(page, "Run the protocol").click().run()
    (study,) = studies()
    wait_for_job(f"protocol-{study.id}", 120)
    rows = study_rows(study)
    assert [r["method"] for r in rows] == ["zero-shot", "transclip"] and not errors(page)
    page = clean(app.run())
    shown = {r[0]: r[2] for r in cells(page)[1:]}
    assert {k: v.replace("★ ", "") for k, v in shown.items()} == {
        "Zero-shot": f"{rows[0]['hm']:.1f}",
        "TransCLIP": f"{rows[1]['hm']:.1f}",
    }


def test_a_protocol_is_deleted_with_its_results(app):  # noqa: F811
    study = kept(VALUES)
    page = at(app, "5_Compare", view="protocol", protocol=study.id)
    assert "Delete the protocol and its 6 results?" in plain(page.markdown)
    page.button(key="protocol.delete").click().run()
    assert studies() == [] and not study.folder.exists()
    assert "protocol" not in clean(page).query_params and not page.warning


def test_the_command_line_follows_the_choices(app):  # noqa: F811
    page = at(app, "5_Compare", view="protocol")
    page.number_input(key="protocol.lr.drawings-resnet").set_value(0.25).run()
    (code,) = clean(page).code
    assert "ueo_core table --domain night" in code.value and code.value.endswith(
        "--lr 0.25 --out comparison"
    )


def test_an_unknown_protocol_is_a_warning_and_a_failed_job_is_a_sentence(app, monkeypatch):  # noqa: F811
    page = at(app, "5_Compare", view="protocol", protocol="nowhere")
    assert "there is none of that name" in plain(page.warning)
    study = kept({})

    def fails(study, job):
        raise UserError("Disk: it is full; free some space.")

    monkeypatch.setattr("ui.compare.protocol.carry_out_study", fails)
    page.query_params["protocol"] = study.id
    button(page.run(), "Continue").click().run()
    wait_for_job(f"protocol-{study.id}")
    assert errors(clean(app.run())) == ["Disk: it is full; free some space."]
