"""Data: sources, class names, labels, the report."""

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.helpers.pages import ROOT, app, at, button, clean, errors, small_sample, wait_for_job  # noqa: F401
from tests.workspace.test_dataset import png
from ueo_core.data.store import Store
from ueo_core.drawings.sample import problem
from ueo_core.utils.background_jobs import Job
from ueo_core.utils.paths import store_root
from ueo_core.workspace.dataset import list_datasets, open_dataset
from ueo_core.workspace.upload import ROOTS, ingest_path, ingest_upload, spool


@pytest.fixture
def photos(tmp_path):
    g = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for name in ("Keys", "fish", "car"):
        (folder / name).mkdir(parents=True)
        for i in range(2):
            pixels = g.integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    (folder / "**notes**.txt").write_text("x", encoding="utf-8")
    return folder


@pytest.fixture
def dataset(photos):
    files = [p for p in photos.rglob("*") if p.is_file()]
    opened = [(f"photos/{p.relative_to(photos).as_posix()}", p.open("rb")) for p in files]
    taken = ingest_upload(Job("k", "t"), spool(opened))
    for _, file in opened:
        file.close()
    return open_dataset(taken.dataset)


def metrics(app) -> dict[str, str]:  # noqa: F811
    return {m.label: m.value for m in app.metric}


def test_the_empty_page_offers_the_sample(app, small_sample):  # noqa: F811
    at(app, "1_Data")
    button(app, "Draw the built-in sample").click().run()
    wait_for_job("intake")
    clean(app.run())
    chosen = problem()
    assert metrics(app)["Usable images"] == str(len(chosen.pool))
    assert metrics(app)["Test images"] == str(len(chosen.test))
    assert list_datasets()[0].id in app.query_params["data"]


def test_class_names_are_checked_and_stored(app, dataset):  # noqa: F811
    at(app, "1_Data", data=dataset.id)
    assert metrics(app)["Skipped"] == "1"
    names = app.text_area[0]
    assert button(app, "Save class names").proto.type == "primary"
    names.set_value("key\nkey")
    button(app, "Save class names").click().run()
    assert errors(clean(app)) == ["Class names: “key” is given twice; keep one of them."]
    app.text_area[0].set_value("key, fish")
    button(app, "Save class names").click().run()
    assert open_dataset(dataset.id).classes == ("key", "fish")
    assert metrics(clean(app))["Class names"] == "2"
    assert button(app, "Adapt CLIP to these images").proto.type == "primary"
    assert button(app, "Save class names").proto.type == "secondary"


def test_how_class_names_were_read_is_shown(app, dataset):  # noqa: F811
    at(app, "1_Data", data=dataset.id)
    app.text_area[0].set_value('# mine\nkey\n"tench, Tinca tinca"')
    button(app, "Save class names").click().run()
    assert open_dataset(dataset.id).classes == ("key", "tench, Tinca tinca")
    assert any("was left out as a note" in i.value for i in clean(app).info)
    app.text_area[0].set_value("key, fish")
    button(app, "Save class names").click().run()
    assert not any("Class names" in i.value for i in clean(app).info)


def test_further_names_are_kept_with_the_dataset(app, dataset):  # noqa: F811
    at(app, "1_Data", data=dataset.id)
    app.text_area[0].set_value("key: latchkey, passkey\nfish")
    button(app, "Save class names").click().run()
    kept = open_dataset(dataset.id)
    assert kept.classes == ("key", "fish") and kept.synonyms == {"key": ["latchkey", "passkey"]}
    assert any("1 class has further names" in i.value for i in clean(app).info)
    again = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at(again, "1_Data", data=dataset.id)
    assert again.text_area[0].value == "key: latchkey, passkey\nfish"
    assert kept.changed(classes=["fish", "car"]).synonyms == {}


def test_subfolders_fill_in_the_class_names(app, dataset):  # noqa: F811
    at(app, "1_Data", data=dataset.id)
    button(app, "Use the names of the 3 subfolders").click().run()
    assert clean(app).text_area[0].value.split("\n") == ["Keys", "car", "fish"]


def test_labels_from_subfolders_and_an_accepted_similar_name(app, dataset):  # noqa: F811
    dataset.changed(classes=["key", "fish"])
    at(app, "1_Data", data=dataset.id)
    app.radio[0].set_value("folders").run()
    clean(app)
    # The likely answer is preselected, and can be changed.
    assert any("**4** images of your classes (ID), **2**" in m.value for m in app.markdown)
    accept = next(m for m in app.multiselect if "look like" in m.label)
    assert accept.value == ["Keys"]
    accept.set_value([]).run()
    assert any("**2** images of your classes (ID), **4**" in m.value for m in clean(app).markdown)
    assert open_dataset(dataset.id).declined == ("Keys",)
    next(m for m in app.multiselect if "look like" in m.label).set_value(["Keys"]).run()
    kept = open_dataset(dataset.id)
    assert sorted(kept.labels()["pool"]) == ["car", "car", "fish", "fish", "key", "key"]
    app.radio[0].set_value("none").run()
    assert open_dataset(dataset.id).labels()["pool"] is None


def test_labels_from_a_csv(app, dataset):  # noqa: F811
    dataset.changed(classes=["key", "fish"])
    at(app, "1_Data", data=dataset.id)
    app.radio[0].set_value("csv").run()
    given = next(f for f in app.file_uploader if "CSV" in f.label)
    given.set_value(
        ("labels.csv", b"path,label\nKeys/0.png,key\nnot/there.png,x\n", "text/csv")
    ).run()
    button(app, "Use these labels").click().run()
    clean(app)
    kept = open_dataset(dataset.id)
    by_name = dict(zip(kept.images().names, kept.labels()["pool"], strict=True))
    assert by_name["Keys/0.png"] == "key"
    told = [w.value.replace("\\", "") for w in app.warning]
    assert any("1 of 2 rows used; 5 of 6 images have no label" in t for t in told), told
    assert sum(v is not None for v in by_name.values()) == 1


def upload(app, label: str, files: list[tuple[str, bytes]]) -> None:  # noqa: F811
    given = [f for f in app.file_uploader if label in f.label][-1]
    given.set_value([(name, data, "image/png") for name, data in files]).run()


def test_a_test_set_is_added_and_removed(app, dataset, photos):  # noqa: F811
    dataset.changed(classes=["key", "fish"])
    at(app, "1_Data", data=dataset.id)
    held = [(f"held/{p.parent.name}/{p.name}", p.read_bytes()) for p in photos.rglob("0.png")]
    held.append(("held/fish/new.png", png(7)))
    upload(app, "Drag a folder", held)
    wait_for_job("intake")
    assert metrics(clean(app.run()))["Test images"] == "4"
    kept = open_dataset(dataset.id)
    assert sorted(kept.labels()["holdout"]) == ["car", "fish", "fish", "key"]
    assert kept.pool == dataset.pool and kept.labels()["pool"] is None
    assert any("3 of the 4 test images are also in the pool" in w.value for w in app.warning)
    accept = next(m for m in app.multiselect if "look like" in m.label)
    accept.set_value([]).run()
    assert sorted(open_dataset(dataset.id).labels()["holdout"]) == [
        "Keys",
        "car",
        "fish",
        "fish",
    ]
    button(clean(app), "Remove the test set").click().run()
    assert metrics(clean(app))["Test images"] == "0"
    assert open_dataset(dataset.id).labels() == {"pool": None, "holdout": None}


def test_a_test_set_without_subfolders_gets_its_labels_from_a_csv(app, dataset):  # noqa: F811
    dataset.changed(classes=["key", "fish"])
    at(app, "1_Data", data=dataset.id)
    upload(app, "Drag a folder", [("held/a.png", png(7)), ("held/b.png", png(8))])
    wait_for_job("intake")
    assert any("have no labels, because" in w.value for w in clean(app.run()).warning)
    given = next(f for f in app.file_uploader if "CSV" in f.label)
    given.set_value(("labels.csv", b"path,label\nb.png,key\n", "text/csv")).run()
    button(app, "Use these labels").click().run()
    clean(app)
    assert open_dataset(dataset.id).labels()["holdout"] == [None, "key"]


def test_a_stopped_intake_is_resumed(app, photos, monkeypatch):  # noqa: F811
    monkeypatch.setenv(ROOTS, str(photos))
    monkeypatch.setattr("ueo_core.data.intake._BATCH_FILES", 1)
    job = Job("k", "t")
    monkeypatch.setattr(job, "progress", lambda done, total: done == 3 and job.cancel())
    monkeypatch.setattr("ueo_core.data.intake.default_workers", lambda: 1)
    taken = ingest_path(job, str(photos))
    assert taken.report.cancelled
    at(app, "1_Data", data=taken.dataset)
    button(app, "Resume the import").click().run()
    wait_for_job("intake")
    assert metrics(clean(app.run()))["Usable images"] == "6"
    assert not [b for b in app.button if b.label == "Resume the import"]


def test_the_report_compares_subfolders_with_the_classes(app, dataset):  # noqa: F811
    dataset.changed(classes=["key", "fish"])
    at(app, "1_Data", data=dataset.id)
    table = next(d.value for d in app.dataframe if "Subfolder" in d.value.columns)
    assert dict(zip(table["Subfolder"], table["Among your classes"], strict=True)) == {
        "Keys": "looks like key",
        "car": "no",
        "fish": "fish",
    }


def test_the_report_can_be_filtered(app, dataset):  # noqa: F811
    at(app, "1_Data", data=dataset.id)
    table = next(d.value for d in app.dataframe if "Why" in d.value.columns)
    assert table["File"].tolist() == ["**notes**.txt"]
    why = next(t for t in app.text_input if t.label == "File or reason contains")
    why.set_value("no such thing").run()
    left = [d.value for d in clean(app).dataframe if "Why" in d.value.columns]
    assert not left or left[0].empty


def test_paths_are_disabled_until_roots_are_set(app, photos, monkeypatch):  # noqa: F811
    monkeypatch.delenv(ROOTS, raising=False)
    at(app, "1_Data")
    app.segmented_control(key="data.kind").set_value("path").run()
    assert any("Reading paths is disabled until" in i.value for i in clean(app).info)
    monkeypatch.setenv(ROOTS, str(photos))
    app.run()
    app.text_input(key="data.path").set_value("/etc").run()
    button(app, "Import").click().run()
    wait_for_job("intake")
    assert "outside the folders that may be read" in errors(clean(app.run()))[0]
    app.text_input(key="data.path").set_value(str(photos)).run()
    button(app, "Import").click().run()
    wait_for_job("intake")
    assert metrics(clean(app.run()))["Usable images"] == "6"


def test_deleting_a_dataset_and_unused_images(app, dataset):  # noqa: F811
    at(app, "1_Data", data=dataset.id)
    button(app, "Delete the dataset").click().run()
    assert list_datasets() == []
    assert app.query_params.get("data") is None
    app.toggle(key="data.store").set_value(True).run()
    button(clean(app), "Delete unused images").click().run()
    assert "freed" in clean(app).success[0].value
    assert Store(store_root()).sets() == []


def test_an_unused_set_can_be_kept(app, dataset):  # noqa: F811
    store = Store(store_root())
    kept = store.ingest_files([("a.png", png(1)), ("b.png", png(2))], name="kept").set_id
    gone = store.ingest_files([("c.png", png(3)), ("d.png", png(4))], name="gone").set_id
    at(app, "1_Data", data=dataset.id).toggle(key="data.store").set_value(True).run()
    (unused,) = clean(app).multiselect
    assert set(unused.value) == {kept, gone}  # and not the dataset's own
    assert any("kept · 2 images · 0.0 MB" in option for option in unused.options)
    unused.set_value([gone]).run()
    button(clean(app), "Delete unused images").click().run()
    assert {info.id for info in store.sets()} == {dataset.pool["set"], kept}


def test_a_link_to_a_deleted_dataset_shows_a_warning(app, dataset):  # noqa: F811
    at(app, "1_Data", data="gone")
    assert "no longer exists" in app.warning[0].value
    assert metrics(app)["Usable images"] == "6"
