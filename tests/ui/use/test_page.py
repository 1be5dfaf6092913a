"""The Use page: predictions, threshold and exports of a model."""

import io
import json
import os

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from tests.helpers.adapters import write_adapter
from tests.helpers.pages import app, at, button, clean, errors, wait_for_job  # noqa: F401
from tests.helpers.run_folders import CLASSES, SCALE, THRESHOLD, cosines_of, labels_of, write_run
from ueo_core.analysis.threshold_effect import threshold_at_tpr
from ueo_core.evaluation.metrics import truth_from_labels
from ueo_core.export.downloads import export_predictions
from ueo_core.export.formats import MODELS, PREDICTIONS
from ueo_core.inference.predictions import Predictions
from ueo_core.runs.run_adapter import adapter_of_run
from ueo_core.utils.background_jobs import Job
from ueo_core.utils.errors import UserError
from ueo_core.workspace.imported_adapters import import_adapter, imported_adapters
from ueo_core.workspace.prediction_history import classified_sets
from ui.common import shell
from ui.use import images


def predicted() -> Predictions:
    return Predictions(
        [f"{i:03d}.png" for i in range(80)], cosines_of(labels_of(80), 0.12, 1), CLASSES, SCALE
    )


def metrics(page) -> dict[str, str]:
    return {m.label: m.value for m in page.metric}


def html(page) -> str:
    return " ".join(h.proto.body for h in page.get("html"))


def slider(page):
    return next(s for s in page.slider if s.label.startswith("Threshold"))


def test_the_predictions_are_those_of_the_run_at_its_threshold(app):  # noqa: F811
    write_run("r")
    page = at(app, "6_Use", run="r")
    unknown = int(predicted().unknown(THRESHOLD).sum())
    assert 0 < unknown < 80
    assert metrics(page) == {"Images": "80", "Known": str(80 - unknown), "Unknown": str(unknown)}
    assert any("unsupervised threshold (heuristic)" in c.value for c in page.caption)
    page.segmented_control(key="use.which").set_value("unknown").run()
    assert html(page).count('<span class="unknown">') == min(48, unknown)
    page.segmented_control(key="use.view").set_value("table").run()
    table = page.dataframe[0].value
    order = np.argsort(predicted().score, kind="stable")[:unknown]
    assert list(table["image"]) == [f"{i:03d}.png" for i in order]
    assert list(table["score (MCM)"]) == list(predicted().score[order])


def test_the_threshold_that_accepts_95_percent_of_the_known(app):  # noqa: F811
    write_run("r")
    page = at(app, "6_Use", run="r")
    button(page, "Accept 95 % of the known").click().run()
    truth = truth_from_labels(labels_of(80), CLASSES)
    expected = threshold_at_tpr(predicted().score, truth)
    assert slider(page).value == expected
    assert metrics(clean(page))["Unknown"] == str(int(predicted().unknown(expected).sum()))


def test_without_labels_there_is_no_threshold_from_labels(app):  # noqa: F811
    write_run("r", labeled=False)
    page = at(app, "6_Use", run="r")
    assert "Accept 95 % of the known" not in [b.label for b in page.button]


def test_a_warning_about_a_run_that_is_worse_than_zero_shot(app):  # noqa: F811
    write_run("r", skill=(0.15, 0.03))
    page = at(app, "6_Use", run="r")
    assert any("Consider another model" in e.value for e in page.error)


def test_without_a_model_the_page_offers_two_actions(app):  # noqa: F811
    page = at(app, "6_Use")
    assert any("no adapted model yet" in i.value for i in page.info)
    assert button(page, "Adapt a model")


def test_a_run_without_a_result_is_replaced_by_one_with_a_result(app):  # noqa: F811
    write_run("done")
    write_run("halted", state="paused")
    page = at(app, "6_Use", run="halted")
    assert any("has no result yet" in i.value for i in page.info)
    assert metrics(page)["Images"] == "80"


def test_class_names_are_escaped(app):  # noqa: F811
    write_run("r", classes=["cat", "dog", "<b>**sun**</b>"])
    page = at(app, "6_Use", run="r")
    assert "<b>**sun" not in html(page) and "&lt;b&gt;**sun**" in html(page)


def test_new_images_are_classified_and_shown(app, tiny_files, tmp_path):  # noqa: F811
    config, weights = map(str, tiny_files["vit"])
    write_adapter(tmp_path / "d.safetensors", config, weights)
    id = import_adapter(Job("k", "t"), (tmp_path / "d.safetensors").read_bytes())
    page = at(app, "6_Use", adapter=id)
    assert not metrics(page)  # nothing was classified yet
    g, files = np.random.default_rng(0), []
    for i in range(5):
        buffer = io.BytesIO()
        Image.fromarray(g.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(buffer, "PNG")
        files.append((f"{i}.png", buffer.getvalue(), "image/png"))
    next(u for u in page.file_uploader if u.label.startswith("Drag photos")).set_value(files).run()
    wait_for_job(images.JOB)
    assert metrics(clean(page.run()))["Images"] == "5"
    adapter_file = imported_adapters()[id]
    (what,) = classified_sets(adapter_file)
    assert what.images().names == [f"{i}.png" for i in range(5)]
    button(page, "Delete predictions").click().run()
    assert classified_sets(adapter_file) == [] and not metrics(clean(page))


def test_an_upload_without_usable_images_is_an_error(app):  # noqa: F811
    write_run("r")
    page = at(app, "6_Use", run="r")
    shell.jobs().start(images.JOB, "t", _refuse, again=True)
    wait_for_job(images.JOB)
    page.session_state["use.classify.waiting"] = True
    assert errors(clean(page.run())) == ["Source “x”: it holds no usable image; choose another."]


def _refuse(job):
    raise UserError("Source “x”: it holds no usable image; choose another.")


def choose(page, name: str):
    return page.selectbox(key="use.format").set_value(name).run()


def test_every_format_is_offered_with_its_sentence_and_its_command(app):  # noqa: F811
    folder = write_run("r")
    page = at(app, "6_Use", run="r")
    assert page.selectbox(key="use.format").options == [
        *(f.title for f in (*PREDICTIONS.values(), *MODELS.values())),
        "Shareable report (HTML)",
    ]
    for name, made in {**PREDICTIONS, **MODELS}.items():
        page = clean(choose(page, name))
        assert any(m.value == made.about for m in page.markdown), name
        command = page.code[-1].value
        assert f"predict {folder.path} FOLDER" in command
        assert f"export {folder.path} --what {name} " in command or name == "csv"
    assert f"report {folder.path} --out" in choose(page, "report").code[-1].value


def test_files_are_exported_at_the_threshold_and_offered_for_it_alone(app):  # noqa: F811
    write_run("r")
    page = choose(at(app, "6_Use", run="r"), "folders")
    button(page, "Export").click().run()
    wait_for_job("use.export")
    page = clean(page.run())
    unknown = int(predicted().unknown(THRESHOLD).sum())
    said = f"80 files, {unknown} of them unknown: 0 original files, 80 stored images."
    assert any(c.value == said for c in page.caption)
    made = page.session_state["use.made"][1]
    assert (made.images, made.unknown, made.originals, made.stored) == (80, unknown, 0, 80)
    assert not button(choose(page, "coco"), "Export").disabled  # not the zip of another format
    page = clean(choose(page, "folders"))
    assert "Export" not in [b.label for b in page.button]
    button(page, "Accept 95 % of the known").click().run()
    assert not button(page, "Export").disabled  # nor that of another threshold


def test_an_adapter_without_images_exports_the_model(app, tmp_path):  # noqa: F811
    write_adapter(tmp_path / "d.safetensors", "drawings-resnet")
    id = import_adapter(Job("k", "t"), (tmp_path / "d.safetensors").read_bytes())
    page = at(app, "6_Use", adapter=id)
    formats = page.selectbox(key="use.format.model")
    assert formats.options == [f.title for f in MODELS.values()]
    button(formats.set_value("onnx").run(), "Export").click().run()
    wait_for_job("use.export")
    page = clean(page.run())
    assert page.session_state["use.made"][1].name.startswith("model-")


def test_old_downloads_are_deleted(own_home):
    adapter_file = adapter_of_run(write_run("r").path)
    pool = classified_sets(adapter_file)[0]

    def made(name: str):
        return export_predictions(
            Job("k", "t"), name, pool.images(), predicted(), THRESHOLD, "a run"
        ).path

    first = made("folders")
    os.utime(first, (0, 0))
    second = made("xmp")
    assert list((own_home / "exports").iterdir()) == [second]


def recommend_zero_shot(folder, reason: str) -> None:
    """Make zero-shot the model that the safety check of a finished run recommends."""
    adapter = folder.path / "delta.safetensors"
    with safe_open(adapter, "pt") as file:
        about, tensors = file.metadata(), {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    about["guard"] = json.dumps({"share": 0.0, "reason": reason, "evidence": {}})
    save_file(tensors, adapter, about)
    save_file({"context": torch.ones(2)}, folder.path / "guarded.safetensors", about)
    folder.save_tensors(
        "guarded_answers", {"pool_cosines": folder.tensors("zero_shot")["pool_cosines"]}
    )


def test_the_recommended_model_is_used_until_the_last_epoch_is_chosen(app):  # noqa: F811
    folder = write_run("r")
    recommend_zero_shot(folder, "Fewer answers are repeated.")
    unknown = {
        name: int(
            Predictions([], folder.tensors(name)["pool_cosines"].numpy(), CLASSES, SCALE)
            .unknown(THRESHOLD)
            .sum()
        )
        for name in ("zero_shot", "adapted")
    }
    assert unknown["zero_shot"] != unknown["adapted"]
    page = at(app, "6_Use", run="r")
    (said,) = page.warning  # the stored reason, and nothing that repeats it
    assert said.value.replace("\\", "") == "Fewer answers are repeated."
    assert metrics(page)["Unknown"] == str(unknown["zero_shot"])
    assert f"predict {folder.path} FOLDER --recommended" in page.code[-1].value
    page.toggle(key="use.guarded.r").set_value(False).run()
    assert metrics(clean(page))["Unknown"] == str(unknown["adapted"])
    assert "--recommended" not in page.code[-1].value


def test_the_check_names_a_control_of_the_page_not_an_option(app):  # noqa: F811
    recommend_zero_shot(write_run("r"), "A reason.")
    for page in ("3_Live", "4_Inspect"):
        found = at(app, page, run="r").warning
        (said,) = [w.value.replace("\\", "") for w in found if "A reason" in w.value]
        assert said == "**Safety check (no labels):** A reason. It is available on the Use page."
