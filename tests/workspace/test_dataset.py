"""Datasets on disk, with their labels in separate files."""

import json

import numpy as np
import pytest

from ueo_core.config.settings import Settings
from ueo_core.data.store import Store
from ueo_core.drawings.sample import problem
from ueo_core.runs.create import create_run, reference
from ueo_core.utils.errors import UserError
from ueo_core.utils.paths import runs_root, store_root, studio_home
from ueo_core.workspace.dataset import (
    create_dataset,
    delete_dataset,
    list_datasets,
    open_dataset,
    sample_dataset,
    unused_sets,
)

POOL_OF_TWO = {"n": 2, "set": "0" * 16, "store": "s", "name": "n", "fingerprint": "f"}


def png(seed: int) -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def store_images(names: list[str]) -> dict:
    store = Store(store_root())
    report = store.ingest_files([(name, png(i)) for i, name in enumerate(names)])
    return reference(store, store.open(report.set_id))


def test_a_dataset_is_stored_with_every_value():
    pool = store_images(["key/0.png", "fish/1.png", "car/2.png"])
    made = create_dataset("My <b>photos</b>", pool, origin={"kind": "path", "path": "/x"})
    changed = made.changed(classes=["key", "fish"]).with_labels(["car", "fish", "key"], "folders")
    again = open_dataset(made.id)
    assert again == changed == list_datasets()[0]
    assert again.ready and not made.ready
    assert again.raw_labels() == {"pool": ["car", "fish", "key"], "holdout": None}
    assert again.images().names == ["car/2.png", "fish/1.png", "key/0.png"]


def test_labels_are_in_a_separate_file():
    made = create_dataset("x", store_images(["a.png", "b.png"]), labels={"pool": ["secret", None]})
    main = (studio_home() / "datasets" / f"{made.id}.json").read_text(encoding="utf-8")
    assert "secret" not in main
    kept = json.loads(
        (studio_home() / "datasets" / f"{made.id}.labels.json").read_text(encoding="utf-8")
    )
    assert kept["pool"] == ["secret", None]


def test_similar_labels_count_only_once_accepted():
    pool = store_images(["a.png", "b.png", "c.png", "d.png"])
    made = create_dataset(
        "x", pool, classes=["key", "fish"], labels={"pool": ["Keys", "fish", "car", None]}
    )
    assert made.labels()["pool"] == ["Keys", "fish", "car", None]
    assert made.changed(accepted=("Keys",)).labels()["pool"] == ["key", "fish", "car", None]
    # An accepted name that is no longer similar to a class stays unchanged.
    again = made.changed(accepted=("Keys",), classes=["dog", "fish"])
    assert again.labels()["pool"] == ["Keys", "fish", "car", None]


@pytest.mark.parametrize("classes", [["key"], ["key", "Key"], ["key", ""]])
def test_invalid_class_names_are_rejected(classes):
    made = create_dataset("x", store_images(["a.png", "b.png"]))
    with pytest.raises(UserError, match="Class names"):
        made.changed(classes=classes)
    assert open_dataset(made.id).classes == ()


def test_two_images_are_needed_and_one_label_per_image():
    with pytest.raises(UserError, match="at least two"):
        create_dataset("x", store_images(["a.png"]))
    made = create_dataset("x", store_images(["a.png", "b.png"]))
    with pytest.raises(UserError, match="3 were given for 2"):
        made.with_labels(["a", "b", "c"], "csv")


def test_a_test_set_is_added_with_its_labels_and_removed():
    pool, held = store_images(["a.png", "b.png", "c.png"]), store_images(["key/0.png", "x/9.png"])
    made = create_dataset("x", pool, classes=["key", "fish"], labels={"pool": ["key", None, "x"]})
    scored = made.with_holdout(held, ["Keys", "x"]).changed(accepted=("Keys",))
    assert open_dataset(made.id) == scored and scored.holdout == held
    assert scored.labels() == {"pool": ["key", None, "x"], "holdout": ["key", "x"]}
    assert scored.holdout_overlap() == 2  # the same bytes as a.png and b.png
    again = scored.with_labels(["fish", None], "csv", "holdout")
    assert again.labels() == {"pool": ["key", None, "x"], "holdout": ["fish", None]}
    assert again.accepted == ("Keys",)
    with pytest.raises(UserError, match="3 were given for 2"):
        again.with_labels(["a", "b", "c"], "csv", "holdout")
    gone = again.with_holdout(None)
    assert gone.holdout is None and gone.holdout_overlap() == 0
    assert gone.labels() == {"pool": ["key", None, "x"], "holdout": None}


@pytest.mark.parametrize(
    ("source", "labels"), [("folders", ["a", "b", "c"]), ("csv", ["first", None, None])]
)
def test_adding_images_of_a_source_keeps_classes_and_labels(source, labels):
    made = create_dataset("x", store_images(["a/0.png", "b/1.png"]), classes=["a", "b"])
    raw = ["a", "b"] if source == "folders" else ["first", None]
    made = made.with_labels(raw, source)
    more = made.with_pool(store_images(["a/0.png", "b/1.png", "c/2.png"]), {"kind": "path"})
    assert open_dataset(made.id) == more and more.pool["n"] == 3
    assert more.raw_labels()["pool"] == labels
    assert (more.classes, more.labels_from, more.origin) == (("a", "b"), source, {"kind": "path"})


def test_labels_for_another_number_of_images_are_ignored():
    made = create_dataset("x", store_images(["a.png", "b.png"]), labels={"pool": ["s", "t"]})
    path = studio_home() / "datasets" / f"{made.id}.labels.json"
    path.write_text('{"pool": ["s", "t", "u"], "holdout": ["v"]}', encoding="utf-8")
    assert made.raw_labels() == {"pool": None, "holdout": None}


@pytest.mark.parametrize("id", ["../../etc/passwd", "", "none", "a/b", "x" * 300])
def test_an_unknown_id_is_an_error(id):
    with pytest.raises(UserError, match="not known"):
        open_dataset(id)


def test_deleting_removes_the_labels_and_keeps_the_images_of_runs():
    made = create_dataset("x", store_images(["a.png", "b.png"]), labels={"pool": ["s", "t"]})
    other = store_images(["c.png", "d.png", "e.png"])
    run_only = create_dataset("y", other)
    create_run(runs_root() / "r", Settings(), ["a", "b"], other)
    store = Store(store_root())
    assert unused_sets(store) == []
    delete_dataset(made.id)
    delete_dataset(run_only.id)
    assert list((studio_home() / "datasets").iterdir()) == []
    assert [info.id for info in unused_sets(store)] == [made.pool["set"]]


def test_a_damaged_file_does_not_hide_other_datasets():
    made = create_dataset("x", store_images(["a.png", "b.png"]))
    (studio_home() / "datasets" / "broken.json").write_text('{"id": "bro', encoding="utf-8")
    assert [d.id for d in list_datasets()] == [made.id]


def test_the_sample_is_the_problem_with_its_labels(monkeypatch):
    small_problem(monkeypatch)
    told = []
    made = sample_dataset("open-partial", 3, progress=lambda *p: told.append(p))
    chosen = problem("open-partial", 3)
    assert made.classes == chosen.classes and made.is_sample and made.ready
    assert made.pool["n"] == len(chosen.pool) and made.holdout["n"] == len(chosen.test)
    labels = made.labels()
    assert labels["pool"] == list(chosen.pool)
    assert labels["holdout"] == [n.partition("/")[0] for n in made.images("holdout").names]
    assert told[-1] == (len(chosen), len(chosen))
    # The names of images that training gets contain no label.
    assert all(name.removesuffix(".png").isdigit() for name in made.images("pool").names)


def test_the_sample_is_drawn_once_and_again_after_its_images_were_deleted(monkeypatch):
    small_problem(monkeypatch)
    made = sample_dataset("closed", 0)
    told = []
    assert sample_dataset("closed", 0, progress=lambda *p: told.append(p)) == made
    assert told == []
    Store(store_root()).delete(made.pool["set"])
    redrawn = sample_dataset("closed", 0, progress=lambda *p: told.append(p))
    assert told and redrawn.pool == made.pool


def test_an_unknown_shift_is_an_error():
    with pytest.raises(UserError, match="Shift"):
        sample_dataset("sideways")


def small_problem(monkeypatch) -> None:
    """Two images per class, as these tests are not about drawing."""
    monkeypatch.setattr("ueo_core.drawings.sample.PER_POOL_CLASS", 2)
    monkeypatch.setattr("ueo_core.drawings.sample.PER_TEST_CLASS", 1)


def rewritten(id: str, change) -> None:
    path = studio_home() / "datasets" / f"{id}.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


@pytest.mark.parametrize("synonyms", [[], {"no class": ["x"]}, {"key": "latchkey"}, {"key": [""]}])
def test_damaged_further_names_are_one_sentence(synonyms):
    made = create_dataset("photos", POOL_OF_TWO, classes=("key", "fish"))
    rewritten(made.id, lambda data: data.update(synonyms=synonyms))
    with pytest.raises(UserError, match="Dataset “photos-.*”: its file is damaged .*“synonyms”"):
        open_dataset(made.id)
    assert list_datasets() == []


def test_datasets_of_earlier_versions_have_no_further_names():
    made = create_dataset("photos", POOL_OF_TWO, classes=("key", "fish"))
    rewritten(made.id, lambda data: data.pop("synonyms"))
    assert open_dataset(made.id).synonyms == {}
