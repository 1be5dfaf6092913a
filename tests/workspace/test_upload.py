"""From uploads and paths to a dataset."""

import io
import os
import time
import zipfile

import pytest

from tests.workspace.test_dataset import png
from ueo_core.data.limits import Limits
from ueo_core.utils.background_jobs import Job
from ueo_core.utils.errors import UserError
from ueo_core.utils.paths import studio_home
from ueo_core.workspace import upload
from ueo_core.workspace.dataset import delete_dataset, list_datasets, open_dataset


def uploads(names: list[str]) -> list[tuple[str, io.BytesIO]]:
    return [(name, io.BytesIO(png(i))) for i, name in enumerate(names)]


def job() -> Job:
    return Job("intake", "Taking in")


def test_names_of_a_folder_upload_start_inside_the_folder():
    spooled = upload.spool(uploads(["Holiday/key/1.png", "Holiday/2.png"]))
    assert spooled.title == "Holiday"
    assert [name for name, _ in spooled.files] == ["key/1.png", "2.png"]
    assert {path.name for _, path in spooled.files} == {"000000", "000001"}
    mine = job()
    taken = upload.ingest_upload(mine, spooled)
    assert not spooled.folder.exists()
    dataset = open_dataset(taken.dataset)
    assert dataset.title == "Holiday" and dataset.classes == ()
    assert dataset.images().names == ["2.png", "key/1.png"]
    assert (mine.done, mine.total) == (2, 2)


@pytest.mark.parametrize(
    "name", ["../../etc/evil.png", "/etc/evil.png", "C:\\evil.png", "..\\x.png"]
)
def test_malicious_names_are_skipped_and_nothing_is_written_outside(name, tmp_path):
    before = {p for p in tmp_path.rglob("*") if "home" not in p.parts}
    spooled = upload.spool([*uploads(["a/1.png", "a/2.png"]), (name, io.BytesIO(png(9)))])
    taken = upload.ingest_upload(job(), spooled)
    assert taken.report.usable == 2 and len(taken.report.skipped) == 1
    assert {p for p in tmp_path.rglob("*") if "home" not in p.parts} == before
    assert not any("evil" in p.name for p in studio_home().rglob("*"))


def test_a_zip_gives_its_name_to_the_dataset():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for i in range(3):
            archive.writestr(f"fish/{i}.png", png(i))
    spooled = upload.spool([("from a friend.zip", packed)])
    taken = upload.ingest_upload(job(), spooled)
    assert open_dataset(taken.dataset).title == "from a friend"
    assert taken.report.folders == {"fish": 3}


def test_too_few_images_give_a_report_but_no_dataset():
    spooled = upload.spool([("a.png", io.BytesIO(png(0))), ("b.txt", io.BytesIO(b"no"))])
    taken = upload.ingest_upload(job(), spooled)
    assert taken.dataset is None and list_datasets() == []
    assert (taken.report.usable, [s.name for s in taken.report.skipped]) == (1, ["b.txt"])


def test_the_same_folder_twice_gives_one_dataset(tmp_path, monkeypatch):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.png").write_bytes(png(i))
    monkeypatch.setenv(upload.ROOTS, str(tmp_path))
    first = upload.ingest_path(job(), str(folder))
    second = upload.ingest_path(job(), str(folder))
    assert second.dataset == first.dataset and second.report.decoded == 0
    assert open_dataset(first.dataset).origin == {"kind": "path", "path": str(folder)}


def test_a_dataset_with_converted_colors_is_another_one(tmp_path, monkeypatch):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.png").write_bytes(png(i))
    monkeypatch.setenv(upload.ROOTS, str(tmp_path))
    plain = upload.ingest_path(job(), str(folder))
    made = upload.ingest_path(job(), str(folder), srgb=True)
    assert made.dataset != plain.dataset
    assert [open_dataset(t.dataset).images().srgb for t in (plain, made)] == [False, True]
    again = upload.resume_intake(job(), made.dataset)
    assert again.dataset == made.dataset and again.report.srgb


class Impatient(Job):
    """Canceled after five files."""

    def progress(self, done, total):
        super().progress(done, total)
        if done == 5:
            self.cancel()


def impatient() -> Job:
    return Impatient("intake", "Taking in")


@pytest.fixture
def sixty(tmp_path, monkeypatch):
    """A folder of sixty photos, each read in a batch of its own."""
    monkeypatch.setattr("ueo_core.data.intake._BATCH_FILES", 1)
    monkeypatch.setenv(upload.ROOTS, str(tmp_path))
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(60):
        (folder / f"{i:02d}.png").write_bytes(png(i))
    return folder


def test_a_stopped_path_is_resumed_in_the_same_dataset(sixty):
    taken = upload.ingest_path(impatient(), str(sixty))
    assert taken.report.cancelled and 5 <= taken.report.usable < 60
    stopped = open_dataset(taken.dataset).changed(classes=["a", "b"], title="Mine")
    assert stopped.origin["unfinished"]
    again = upload.resume_intake(job(), taken.dataset)
    assert again.report.usable == 60
    assert again.report.decoded == 60 - taken.report.usable
    assert [d.id for d in list_datasets()] == [taken.dataset] == [again.dataset]
    whole = open_dataset(taken.dataset)
    assert (whole.pool["n"], whole.classes, whole.title) == (60, ("a", "b"), "Mine")
    assert "unfinished" not in whole.origin


def test_a_stopped_upload_is_resumed_without_another_upload(sixty):
    given = [(f"photos/{p.name}", p.open("rb")) for p in sorted(sixty.iterdir())]
    taken = upload.ingest_upload(impatient(), upload.spool(given))
    assert taken.report.cancelled
    kept = upload.kept_spool(open_dataset(taken.dataset))
    assert len(kept.files) == 60 and kept.title == "photos"
    again = upload.resume_intake(job(), taken.dataset)
    assert again.dataset == taken.dataset and again.report.usable == 60
    assert again.report.decoded == 60 - taken.report.usable
    assert not kept.folder.exists()
    assert upload.kept_spool(open_dataset(taken.dataset)) is None


def test_a_deleted_upload_cannot_be_resumed_and_is_deleted_with_its_dataset(sixty):
    given = [(p.name, p.open("rb")) for p in sorted(sixty.iterdir())]
    taken = upload.ingest_upload(impatient(), upload.spool(given))
    folder = upload.kept_spool(open_dataset(taken.dataset)).folder
    (folder / "names.json").unlink()
    with pytest.raises(UserError, match="upload it again"):
        upload.resume_intake(job(), taken.dataset)
    delete_dataset(taken.dataset)
    assert not folder.exists()


def test_a_test_set_is_labeled_by_its_subfolders_and_the_pool_stays():
    made = upload.ingest_upload(job(), upload.spool(uploads(["a.png", "b.png"]))).dataset
    held = upload.spool(uploads(["T/key/1.png", "T/fish/2.png", "T/3.png"]))
    taken = upload.ingest_upload(job(), held, holdout_of=made)
    assert taken.dataset == made
    dataset = open_dataset(made)
    assert dataset.images("holdout").names == ["3.png", "fish/2.png", "key/1.png"]
    assert dataset.labels() == {"pool": None, "holdout": [None, "fish", "key"]}
    assert dataset.images().names == ["a.png", "b.png"] and len(list_datasets()) == 1
    no_usable_image = upload.spool([("x.txt", io.BytesIO(b"no image"))])
    assert upload.ingest_upload(job(), no_usable_image, holdout_of=made).dataset is None
    assert open_dataset(made).holdout == dataset.holdout
    flat = upload.spool(uploads(["a.png"]))
    upload.ingest_upload(job(), flat, holdout_of=made)
    assert open_dataset(made).labels()["holdout"] is None


def test_paths_are_disabled_by_default_and_must_be_inside_the_roots(tmp_path, monkeypatch):
    monkeypatch.delenv(upload.ROOTS, raising=False)
    assert upload.roots() == []
    with pytest.raises(UserError, match="outside the folders that may be read"):
        upload.ingest_path(job(), str(tmp_path))
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.setenv(upload.ROOTS, f"{inside}{os.pathsep} ")
    assert upload.roots() == [inside]
    with pytest.raises(UserError, match="outside"):
        upload.ingest_path(job(), str(inside / ".." / "x"))


def test_too_many_or_too_large_uploads_are_rejected_before_writing(monkeypatch):
    with pytest.raises(UserError, match="max_files = 1"):
        upload.spool(uploads(["a.png", "b.png"]), Limits(max_files=1))
    with pytest.raises(UserError, match="free some space"):
        upload.spool(uploads(["a.png"]), Limits(min_free_bytes=10**18))
    assert not list((studio_home() / "uploads").glob("*"))


def test_only_old_uploads_are_deleted():
    root = studio_home() / "uploads"
    for name in ("old", "new"):
        (root / name).mkdir(parents=True)
        (root / name / "000000").write_bytes(b"x")
    os.utime(root / "old", (time.time() - 90_000,) * 2)
    upload.clear_spool()
    assert [p.name for p in root.iterdir()] == ["new"]
