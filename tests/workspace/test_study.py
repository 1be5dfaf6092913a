"""A stored protocol: its id, sizes, differences, and continuing after a cancel."""

import numpy as np
import pytest

from tests.helpers.pages import small_sample  # noqa: F401
from tests.helpers.run_folders import image_set
from ueo_core.config.settings import Settings
from ueo_core.drawings.sample import problem
from ueo_core.utils.background_jobs import Cancelled, Job
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import read_json, write_json
from ueo_core.workspace.dataset import create_dataset
from ueo_core.workspace.study import (
    DRAWINGS,
    Study,
    carry_out_study,
    dataset_fingerprint,
    delete_study,
    differences_from,
    measured_part,
    missing_rows,
    save_study,
    shift_sizes,
    studies,
    study_rows,
    study_seconds,
    study_shifts,
)
from ueo_core.workspace.time_estimate import Estimate

LABELS = ["ant", "bee", "cow", "dog"]


def dataset(classes=("ant", "bee", "cow"), labels=LABELS, n: int = 40):
    return create_dataset(
        "pets",
        image_set(n, "pets"),
        classes=classes,
        labels={"pool": [labels[i % len(labels)] for i in range(n)]},
        labels_from="folders",
    )


def drawn(**changes) -> Study:
    values = {
        "data": DRAWINGS,
        "data_title": "Drawings",
        "marks": "night",
        "by_share": False,
        "backbone": "drawings-resnet",
        "pretrained": None,
        "shifts": ("closed", "open"),
        "methods": ("zero-shot", "ueo"),
        "seeds": 1,
        "epochs": 1,
    }
    return Study(**(values | changes))


def on(found, **changes) -> Study:
    return drawn(data=found.id, marks=dataset_fingerprint(found), **changes)


def test_methods_shifts_and_seeds_do_not_change_the_id_of_a_study_and_settings_do():
    same = drawn(methods=("zero-shot",), shifts=("partial",), seeds=3)
    assert same.id == drawn().id
    others = [
        drawn(epochs=2),
        drawn(marks="neon"),
        drawn(backbone="drawings-vit"),
        drawn(by_share=True),
    ]
    assert len({s.id for s in others} | {drawn().id}) == 5
    assert drawn(epochs=Settings.for_backbone("drawings-resnet").epochs).chosen == {}
    assert drawn(epochs=3).settings.epochs == 3
    fast = drawn(lr=0.25)
    assert fast.id != drawn().id and fast.settings.lr == 0.25 and "rate 0.25" in fast.title
    assert fast.chosen == {"epochs": 1, "lr": 0.25} and drawn().chosen == {"epochs": 1}


def test_a_changed_label_or_class_changes_the_id():
    first = dataset()
    before = dataset_fingerprint(first)
    assert dataset_fingerprint(first.changed(classes=("ant", "bee"))) != before
    raw = list(first.raw_labels()["pool"])
    assert dataset_fingerprint(first.with_labels([*raw[:-1], "ant"], "folders")) != before


def test_only_labeled_images_can_be_measured():
    assert measured_part(dataset()) == "pool"
    assert measured_part(create_dataset("plain", image_set(4, "plain"), classes="ab")) is None
    held = create_dataset(
        "held",
        image_set(4, "p"),
        classes=("ant", "bee"),
        holdout=image_set(8, "h"),
        labels={"pool": None, "holdout": LABELS * 2},
    )
    assert measured_part(held) == "holdout"
    assert measured_part(dataset(labels=["ant"])) is None


def test_category_shifts_of_a_dataset_and_their_sizes():
    study = on(dataset(), shifts=("closed", "open"))
    shifts, notes = study_shifts(study.data, False)
    assert shifts == ["closed", "partial", "open", "open-partial", "plain"] and notes == []
    closed, opened = shift_sizes(study)
    # Half of each of the 4 × 10 images is tested on; only the open pool has the unknown class.
    assert (closed.classes, closed.pool, closed.ood, closed.test) == (3, 15, 0, 20)
    assert (opened.pool, opened.ood, opened.test) == (20, 5, 20)
    only = dataset(classes=tuple(LABELS))
    shifts, notes = study_shifts(only.id, False)
    assert shifts == ["closed", "partial", "plain"] and "no unknown images" in notes[0]
    # The paper's share leaves the last labels out of the known classes.
    assert "open" in study_shifts(only.id, True)[0]
    with pytest.raises(UserError, match="not known"):
        study_shifts("nowhere", False)


def test_sizes_of_the_drawings_are_those_of_the_problem():
    (found,) = shift_sizes(drawn(shifts=("open",)))
    chosen = problem("open", 0, "night")
    strange = sum(noun not in chosen.classes for noun in chosen.pool)
    assert (found.pool, found.ood, found.test) == (
        len(chosen.pool),
        strange,
        len(chosen.test),
    )


def test_the_time_estimate_counts_only_missing_rows():
    study = on(dataset(), shifts=("closed",), epochs=2)
    probe = Estimate(
        step_seconds=3.0, image_seconds=0.1, device="cpu", measured_steps=3, change_per_rate=0.01
    )
    # Zero-shot and UEO encode 15 + 20 images each; UEO takes one step (15 images) in each of 2 epochs.
    assert study_seconds(study, probe, []) == pytest.approx(2 * 35 * 0.1 + 2 * 3.0)
    there = [{"shift": "closed", "seed": 0, "method": "ueo"}]
    assert study_seconds(study, probe, there) == pytest.approx(35 * 0.1)


def test_differences_are_paired_by_shift_and_seed():
    def row(method, shift, seed, hm):
        return {
            "method": method,
            "shift": shift,
            "seed": seed,
            "seconds": 2.0,
            "hm": hm,
            "pool": {"hm": hm and hm + 1},
        }

    rows = [
        row("zero-shot", "open", 0, 50.0),
        row("ueo", "open", 0, 57.0),
        row("ueo", "open", 1, 60.0),
        row("entmin", "open", 0, None),
    ]
    found = differences_from(rows, "zero-shot")
    assert [(r["method"], r["hm"], r["pool"]["hm"]) for r in found] == [
        ("zero-shot", 0.0, 0.0),
        ("ueo", 7.0, 7.0),
        ("entmin", None, None),
    ]
    assert found[1]["seconds"] == 2.0 and found[1]["seed"] == 0


def test_studies_are_listed_newest_first_without_damaged_ones(own_home):
    save_study(drawn())
    save_study(drawn(epochs=4))
    broken = own_home / "protocols" / "x"
    broken.mkdir()
    (broken / "study.json").write_text("{}", encoding="utf-8")
    assert studies() == [drawn(epochs=4), drawn()]
    assert study_rows(drawn()) == [] and missing_rows(drawn(), []) == 4


def test_deleting_a_study_deletes_only_its_rows():
    save_study(drawn())
    save_study(drawn(lr=0.25))
    write_json(drawn().folder / "out" / "rows" / "open-0-ueo.json", {"method": "ueo"})
    delete_study(drawn())
    assert studies() == [drawn(lr=0.25)] and not drawn().folder.exists()
    delete_study(drawn())  # as if another session had deleted it


def test_a_canceled_study_continues_from_its_rows(small_sample):  # noqa: F811
    study = drawn(shifts=("closed",))
    save_study(study)

    class Impatient(Job):
        def check(self):
            if study_rows(study):
                raise Cancelled

    with pytest.raises(Cancelled):
        carry_out_study(study, Impatient("k", "t"))
    (first,) = study_rows(study)
    assert first["method"] == "zero-shot" and missing_rows(study, [first]) == 1
    files = {p: p.stat().st_mtime_ns for p in study.folder.rglob("rows/*.json")}
    job = Job("k", "t")
    rows = carry_out_study(study, job)
    assert [r["method"] for r in rows] == ["zero-shot", "ueo"] and missing_rows(study, rows) == 0
    assert all(p.stat().st_mtime_ns == t for p, t in files.items())  # not done again
    assert job.done == job.total and "closed, seed 0" in job.what
    assert all(np.isfinite(r["hm"]) for r in rows)
    assert read_json(study.folder / "study.json")["methods"] == ["zero-shot", "ueo"]


def test_a_study_of_a_dataset_is_scored_on_its_other_half():
    study = on(dataset(), shifts=("open",), methods=("zero-shot",))
    (row,) = carry_out_study(study, Job("k", "t"))
    assert (row["n_pool"], row["n_test"], row["shift"]) == (20, 20, "open")
