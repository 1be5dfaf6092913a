"""Photos: names become predictions, the button a run, and its result is taken away."""

import time

import pytest

from tests.helpers.pages import app, at, button, clean, errors, small_sample, wait_for_job  # noqa: F401
from ueo_core.config.presets import preset
from ueo_core.runs.create import create_run
from ueo_core.runs.manager import Manager
from ueo_core.runs.worker import execute
from ueo_core.workspace.dataset import create_dataset, open_dataset, sample_dataset
from ui.common import shell
from ui.photos import page as photo_page
from ui.photos import run as photo_run
from ui.photos import wall


@pytest.fixture
def drawn(monkeypatch):
    """What the wall was given: (frames, classes) of every drawing."""
    found = []

    def draw(dataset, frames, classes):
        found.append((list(frames), list(classes)))

    monkeypatch.setattr(wall, "draw", draw)
    monkeypatch.setattr("ueo_core.models.hardware.this_machine", lambda: None)
    return found


def settled(app):  # noqa: F811
    """The page after its background jobs."""
    for key in list(shell.jobs()._jobs):
        wait_for_job(key)
    return clean(app.run())


def test_without_photos_there_is_one_primary_button(app):  # noqa: F811
    at(app, "0_Photos")
    primary = [b.label for b in app.button if b.proto.type == "primary"]
    assert primary == ["Draw the built-in sample"]


def test_names_are_predicted_at_once(app, small_sample, drawn):  # noqa: F811
    dataset = create_dataset("mine", sample_dataset().pool)
    at(app, "0_Photos", data=dataset.id)
    assert drawn[-1] == ([], [])
    assert button(app, "Adapt").disabled
    app.text_area[0].set_value("key\nfish").run()
    assert open_dataset(dataset.id).classes == ("key", "fish")
    settled(app)
    (frame,), classes = drawn[-1]
    assert classes == ["key", "fish"] and frame.title == "Zero-shot"
    assert len(frame.prediction) == dataset.pool["n"]
    assert not button(app, "Adapt").disabled
    # Drawings models know few words: with photos of one's own, a full-size CLIP is the way.
    primary = [b.label for b in app.button if b.proto.type == "primary"]
    assert primary == ["Use a full-size CLIP"]


def test_names_that_cannot_be_used_are_kept_and_explained(app, small_sample, drawn):  # noqa: F811
    dataset = create_dataset("mine", sample_dataset().pool)
    at(app, "0_Photos", data=dataset.id)
    app.text_area[0].set_value("key,,fish").run()
    assert "empty name" in errors(app)[0] and app.text_area[0].value == "key,,fish"
    assert open_dataset(dataset.id).classes == ()
    app.text_area[0].set_value("key,fish").run()
    assert errors(app) == []


def test_the_button_makes_one_run_with_the_default_settings(app, small_sample, drawn, monkeypatch):  # noqa: F811
    found = []
    monkeypatch.setattr(Manager, "submit", lambda self, f: found.append(f.id) or f.id)
    dataset = sample_dataset()
    settled(at(app, "0_Photos"))
    button(app, "Adapt").click().run()
    assert len(found) == 1
    folder = shell.manager().folder(found[0])
    assert folder.settings == preset("paper", "drawings-resnet")
    assert folder.config["pool"] == dataset.pool and folder.labels() == dataset.labels()
    assert photo_run.newest(dataset) == (found[0], found[0])
    other = dataset.changed(classes=("key", "fish"))
    assert photo_run.newest(other) == (None, found[0])
    further = dataset.changed(synonyms={dataset.classes[0]: ["another"]})
    assert photo_run.newest(further) == (None, found[0])


def test_the_groups_stay_while_a_run_begins_or_its_length_is_changed(
    app,  # noqa: F811
    small_sample,  # noqa: F811
    drawn,
    monkeypatch,
):
    monkeypatch.setattr(Manager, "submit", lambda self, f: f.set_state("queued") or f.id)
    sample_dataset()
    settled(at(app, "0_Photos"))
    app.number_input[0].set_value(3).run()
    (frame,), _ = drawn[-1]  # at once: the training's settings change no zero-shot prediction
    assert frame.title == "Zero-shot"
    assert button(app, "Adapt").proto.type == "primary"
    button(app, "Adapt").click().run()
    assert button(app, "Adapt again").disabled
    (after,), _ = drawn[-1]
    assert after.prediction.tolist() == frame.prediction.tolist()


def finished_run(dataset, backbone: str = "drawings-resnet", weights: str | None = None) -> str:
    """A run of a dataset's photos, from its start to its end."""
    settings = preset("fixed", backbone).changed(pretrained=weights, epochs=1, device="cpu")
    labels = dataset.labels()
    folder = create_run(
        shell.manager().new_path(),
        settings,
        list(dataset.classes),
        dataset.pool,
        labels["pool"],
        dataset.holdout,
        labels["holdout"],
    )
    assert execute(folder)["state"] == "finished"
    return folder.id


def model_shown(app) -> tuple[str, str, int]:  # noqa: F811
    """The model of the drawer's title and of its list, and the epochs."""
    (title,) = [e.label for e in app.expander if e.label.startswith("Model: ")]
    return title, app.selectbox(key="adapt.backbone").value, app.number_input[0].value


def test_a_new_session_opens_on_the_newest_run_with_its_model(
    app,  # noqa: F811
    small_sample,  # noqa: F811
    drawn,
    monkeypatch,
):
    started = []
    monkeypatch.setattr(Manager, "submit", lambda self, f: started.append(f) or f.id)
    dataset = sample_dataset()
    finished_run(dataset, "drawings-vit")
    settled(at(app, "0_Photos"))
    frames, classes = drawn[-1]
    assert len(frames) > 1 and tuple(classes) == dataset.classes
    assert model_shown(app) == ("Model: drawings\\-vit", "drawings-vit", 1)
    # Another is for the next run: the groups stay, also after another page.
    app.selectbox(key="adapt.backbone").set_value("drawings-resnet").run()
    usual = preset("paper", "drawings-resnet").epochs
    assert model_shown(app) == ("Model: drawings\\-resnet", "drawings-resnet", usual)
    assert any("last run of these photos used drawings\\-vit" in c.value for c in app.caption)
    at(app, "2_Adapt")
    settled(at(app, "0_Photos"))
    assert model_shown(app) == ("Model: drawings\\-resnet", "drawings-resnet", usual)
    again, _ = drawn[-1]
    assert [f.title for f in again] == [f.title for f in frames]
    button(app, "Adapt again").click().run()
    assert started[0].settings.backbone == "drawings-resnet"


def test_a_new_session_opens_on_a_model_of_ones_own(app, small_sample, drawn, tiny_files):  # noqa: F811
    config, weights = map(str, tiny_files["vit"])
    finished_run(sample_dataset(), config, weights)
    settled(at(app, "0_Photos"))
    settled(app)  # the model is checked first
    assert app.segmented_control(key="adapt.kind").value == "own"
    assert [app.text_input(key=f"adapt.own.{name}").value for name in ("config", "checkpoint")] == [
        config,
        weights,
    ]
    assert len(drawn[-1][0]) > 1 and app.number_input[0].value == 1


def test_names_given_since_the_newest_run_are_kept_until_its_own_are_asked_for(
    app,  # noqa: F811
    small_sample,  # noqa: F811
    drawn,
):
    dataset = sample_dataset()
    finished_run(dataset, "drawings-vit")
    dataset.changed(classes=("key", "fish"))
    settled(at(app, "0_Photos"))
    ((frame,), classes) = drawn[-1]
    assert (frame.title, classes) == ("Zero-shot", ["key", "fish"])
    assert model_shown(app)[1:] == ("drawings-vit", 1)
    button(app, "Use the names of the newest run").click().run()
    frames, classes = drawn[-1]
    assert len(frames) > 1 and tuple(classes) == dataset.classes
    assert open_dataset(dataset.id).classes == dataset.classes
    assert "Use the names of the newest run" not in [b.label for b in app.button]


def test_a_finished_run_is_shown_and_taken_away(app, small_sample, drawn):  # noqa: F811
    finished_run(sample_dataset())
    settled(at(app, "0_Photos"))
    frames, _ = drawn[-1]
    assert frames[0].title == "Zero-shot" and frames[-1].title in ("Adapted", "Recommended")
    assert button(app, "Adapt again")
    button(app, "Make the film").click().run()
    wait_for_job("photos.film")
    clean(app.run())
    assert any("Download the film" in d.label for d in app.get("download_button"))


def test_predictions_can_be_cancelled_and_asked_for_again(app, small_sample, drawn, monkeypatch):  # noqa: F811
    def waits(job, dataset, settings):
        while True:
            job.check()
            time.sleep(0.001)

    real = photo_page.predict_zero_shot
    monkeypatch.setattr(photo_page, "predict_zero_shot", waits)
    sample_dataset()
    at(app, "0_Photos")
    assert drawn[-1][0] == []
    button(app, "Cancel").click().run()
    settled(app)
    monkeypatch.setattr(photo_page, "predict_zero_shot", real)
    button(app, "Predict the photos").click().run()
    settled(app)
    assert [frame.title for frame in drawn[-1][0]] == ["Zero-shot"]
