"""Adapt: the choices become settings, and one run is queued."""

import shutil
from dataclasses import fields
from types import SimpleNamespace

import pytest

from tests.helpers.pages import app, at, button, clean, errors, small_sample, wait_for_job  # noqa: F401
from ueo_core.config.presets import preset
from ueo_core.config.settings import Settings
from ueo_core.data.store import Store
from ueo_core.runs.manager import Manager
from ueo_core.utils.paths import store_root
from ueo_core.workspace.dataset import create_dataset, sample_dataset
from ueo_core.workspace.start_run import start_run
from ui.adapt import fields as adapt_fields
from ui.common import shell


@pytest.fixture
def submitted(monkeypatch):
    """Runs are created but not executed; nothing is measured and the hardware is not read."""
    found = []
    monkeypatch.setattr(Manager, "submit", lambda self, f: found.append(f.id) or f.id)
    monkeypatch.setattr("ueo_core.workspace.time_estimate.estimate_time", lambda *a: None)
    monkeypatch.setattr("ueo_core.models.hardware.this_machine", lambda: None)
    return found


def settings_of(run: str) -> Settings:
    return shell.manager().folder(run).settings


def test_every_setting_has_its_widget():
    own = {"backbone", "pretrained", "method", "extensions"}  # extensions are made on Live
    assert set(adapt_fields.FIELDS) | own == {f.name for f in fields(Settings)}


def test_without_images_there_is_one_button(app, submitted):  # noqa: F811
    at(app, "2_Adapt")
    assert [b.label for b in app.button] == ["Add images"]


def test_without_class_names_there_is_one_button(app, submitted, small_sample):  # noqa: F811
    sample = sample_dataset()
    made = create_dataset("mine", sample.pool)
    at(app, "2_Adapt", data=made.id)
    assert [b.label for b in app.button] == ["Add class names"]


def test_the_defaults_are_those_of_the_backbone(app, submitted, small_sample):  # noqa: F811
    sample = sample_dataset()
    at(app, "2_Adapt")
    button(app, "Start").click().run()
    assert len(submitted) == 1
    assert settings_of(submitted[0]) == preset("paper", "drawings-resnet")
    assert settings_of(submitted[0]).automatic
    folder = shell.manager().folder(submitted[0])
    assert folder.config["pool"] == sample.pool and folder.config["holdout"] == sample.holdout
    assert folder.labels() == sample.labels()
    assert folder.config["title"] == f"UEO · drawings-resnet · {sample.title}"


def test_a_rate_of_ones_own_is_one_click_away(app, submitted, small_sample):  # noqa: F811
    sample_dataset()
    at(app, "2_Adapt")
    number = app.number_input(key=adapt_fields.key("lr"))
    assert number.disabled and number.value == Settings.for_backbone("drawings-resnet").lr
    app.toggle(key=adapt_fields.key("lr") + ".auto").set_value(False).run()
    assert not app.number_input(key=adapt_fields.key("lr")).disabled
    button(clean(app), "Start").click().run()
    assert settings_of(submitted[0]) == Settings.for_backbone("drawings-resnet")


def test_a_field_that_streamlit_forgot_is_filled_again(app, submitted, small_sample, monkeypatch):  # noqa: F811
    sample_dataset()
    at(app, "2_Adapt")
    app.number_input(key=adapt_fields.key("epochs")).set_value(7).run()
    monkeypatch.setattr(adapt_fields, "filled", lambda: False)
    clean(app.run())
    assert app.number_input(key=adapt_fields.key("epochs")).value == 7
    button(app, "Start").click().run()
    assert settings_of(submitted[0]) == preset("paper", "drawings-resnet", epochs=7)


def test_fields_are_filled_when_every_widget_has_a_value(monkeypatch):
    session = {}
    monkeypatch.setattr(adapt_fields.st, "session_state", session)
    adapt_fields.fill(preset("paper", "drawings-resnet"))
    assert adapt_fields.filled()
    for name in list(session):
        value = session.pop(name)
        assert not adapt_fields.filled(), name
        session[name] = value


def test_choices_reach_the_run(app, submitted, small_sample):  # noqa: F811
    sample_dataset()
    at(app, "2_Adapt")
    app.selectbox(key="adapt.backbone").set_value("drawings-vit").run()
    app.segmented_control(key="adapt.method").set_value("infomax").run()
    app.segmented_control(key="adapt.preset").set_value("quick").run()
    app.number_input(key=adapt_fields.key("lr")).set_value(0.02).run()
    assert not app.toggle(key=adapt_fields.key("lr") + ".auto").value
    app.number_input(key=adapt_fields.key("chunk")).set_value(8).run()
    app.toggle(key=adapt_fields.key("flip")).set_value(False).run()
    app.text_input(key="adapt.title").set_value("My **run**").run()
    button(clean(app), "Start").click().run()
    assert settings_of(submitted[0]) == preset(
        "quick", "drawings-vit", method="infomax", lr=0.02, chunk=8, flip=False
    )
    assert shell.manager().folder(submitted[0]).config["title"] == "My **run**"


def test_another_backbone_has_other_learning_rates(app, submitted, small_sample):  # noqa: F811
    sample_dataset()
    at(app, "2_Adapt", backbone="RN50-quickgelu")
    assert app.selectbox(key="adapt.backbone").value == "RN50-quickgelu"
    paper = Settings.for_backbone("RN50-quickgelu")
    teaching = Settings.for_backbone("drawings-resnet")
    assert paper.lr != teaching.lr
    assert app.number_input(key=adapt_fields.key("lr")).value == paper.lr
    assert app.number_input(key=adapt_fields.key("epochs")).value == paper.epochs
    assert not any("teaching model with a small vocabulary" in m.value for m in app.markdown)
    app.selectbox(key="adapt.backbone").set_value("drawings-resnet").run()
    assert app.number_input(key=adapt_fields.key("lr")).value == teaching.lr
    assert any("teaching model with a small vocabulary" in m.value for m in clean(app).markdown)


def test_a_second_click_finds_the_first_ones_run(app, submitted, small_sample):  # noqa: F811
    sample = sample_dataset()
    at(app, "2_Adapt")
    request = app.session_state["adapt.request"]
    button(app, "Start").click().run()
    again = start_run(shell.manager(), sample, Settings(), request)
    assert submitted == [again]


def test_deleted_images_are_an_error(app, submitted, small_sample):  # noqa: F811
    sample = sample_dataset()
    at(app, "2_Adapt")
    Store(store_root()).delete(sample.pool["set"])
    button(app, "Start").click().run()
    assert submitted == []
    assert "import the images again" in errors(clean(app))[0]


def test_the_command_line_is_shown(app, submitted, small_sample):  # noqa: F811
    sample_dataset("closed", 2)
    at(app, "2_Adapt")
    assert "python -m ueo_core sample sample-2 --seed 2 --shift closed" in app.code[0].value


def test_labels_that_almost_match_are_asked_about_before_the_run(app, submitted, small_sample):  # noqa: F811
    sample = sample_dataset()
    names = ["Keys" if i % 2 else "fish" for i in range(sample.pool["n"])]
    made = create_dataset("mine", sample.pool, classes=["key", "fish"])
    made = made.with_labels(names, "csv")
    assert made.labels()["pool"] == names  # not merged silently
    at(app, "2_Adapt", data=made.id)
    (question,) = [m for m in app.multiselect if "look like" in m.label]
    assert question.value == ["Keys"] and question.options == ["Keys → key"]
    button(app, "Start").click().run()
    assert set(shell.manager().folder(submitted[0]).labels()["pool"]) == {"key", "fish"}
    at(app, "2_Adapt", data=made.id)
    next(m for m in app.multiselect if "look like" in m.label).set_value([]).run()
    button(app, "Start").click().run()
    assert set(shell.manager().folder(submitted[1]).labels()["pool"]) == {"Keys", "fish"}


def test_photos_with_a_teaching_model_name_the_words_it_does_not_know(app, submitted, small_sample):  # noqa: F811
    sample = sample_dataset()
    made = create_dataset("mine", sample.pool, classes=["Key", "zebra", "volcano"])
    at(app, "2_Adapt", data=made.id)
    note = next(
        m.value for m in app.markdown if "teaching model with a small vocabulary" in m.value
    )
    assert "does not know 2 of your 3 class names: **zebra**, **volcano**." in note
    real = button(app, "Use a full-size CLIP")
    assert real.proto.type == "primary"
    clean(real.click().run())
    assert app.selectbox(key="adapt.backbone").value == "RN50-quickgelu"
    lr = app.number_input(key=adapt_fields.key("lr")).value
    assert lr == Settings.for_backbone("RN50-quickgelu").lr
    assert not any("small vocabulary" in m.value for m in app.markdown)


def test_a_model_of_ones_own_is_checked_at_once(app, submitted, small_sample, tiny_files, tmp_path):  # noqa: F811
    config, weights = tiny_files["vit"]
    sample_dataset()
    at(app, "2_Adapt")
    clean(app.segmented_control(key="adapt.kind").set_value("own").run())
    assert "Start" not in [b.label for b in app.button]
    app.text_input(key="adapt.own.config").set_value(str(tmp_path / "no.json")).run()
    assert "no.json”: there is no such file" in errors(app)[0]
    app.text_input(key="adapt.own.config").set_value("")
    app.text_input(key="adapt.own.checkpoint").set_value(str(tmp_path / "no.safetensors")).run()
    assert "no.safetensors”: there is no such file" in errors(app)[0]

    def checked(config, weights):
        app.text_input(key="adapt.own.config").set_value(str(config))
        app.text_input(key="adapt.own.checkpoint").set_value(str(weights)).run()
        (key,) = [k for k in shell.jobs()._jobs if k.startswith(f"own-model-{config}")]
        wait_for_job(key)
        return app.run()

    bad = tmp_path / "bad.json"
    bad.write_text("{}", encoding="utf-8")
    assert "it has no embed_dim" in errors(checked(bad, weights))[0].replace("\\", "")
    assert "Start" not in [b.label for b in app.button]
    clean(checked(config, weights))
    assert any("The weights fit the model" in c.value for c in app.caption)
    button(app, "Start").click().run()
    settings = settings_of(submitted[0])
    assert (settings.backbone, settings.pretrained) == (str(config), str(weights))


def test_a_folder_of_the_hub_needs_no_checkpoint(
    app, submitted, small_sample, tiny_files, tmp_path
):  # noqa: F811
    config, weights = tiny_files["vit"]
    folder = tmp_path / "model"
    folder.mkdir()
    shutil.copy(config, folder / "open_clip_config.json")
    shutil.copy(weights, folder / "open_clip_model.safetensors")
    sample_dataset()
    at(app, "2_Adapt")
    clean(app.segmented_control(key="adapt.kind").set_value("own").run())
    app.text_input(key="adapt.own.config").set_value(str(folder)).run()
    (key,) = [k for k in shell.jobs()._jobs if k.startswith(f"own-model-{folder}")]
    wait_for_job(key)
    clean(app.run())
    assert any("The weights fit the model" in c.value for c in app.caption), errors(app)
    button(app, "Start").click().run()
    settings = settings_of(submitted[0])
    assert (settings.backbone, settings.pretrained) == (str(folder), None)


def test_models_on_this_machine_come_first(app, submitted, small_sample, monkeypatch):  # noqa: F811
    def row(name, tag, here):
        return {"name": name, "pretrained": tag, "available": here}

    found = [
        row("RN50", "openai", False),
        row("RN50", "yfcc15m", True),
        row("ViT-B-32", "x", False),
    ]
    machine = SimpleNamespace(backbones=found)
    monkeypatch.setattr("ueo_core.models.hardware.this_machine", lambda: machine)
    sample_dataset()
    at(app, "2_Adapt")
    wait_for_job("machine")
    clean(app.run())
    names = [o.partition(" ·")[0] for o in app.selectbox(key="adapt.backbone").options]
    assert names[:3] == ["drawings-resnet", "drawings-vit", "RN50"]
    clean(app.selectbox(key="adapt.backbone").set_value("RN50").run())
    assert app.selectbox(key="adapt.pretrained.RN50").value == "yfcc15m"
