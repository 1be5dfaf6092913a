"""A studio's home with every kind of file that the studio keeps, made by the code that writes them."""

import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ueo_core.analysis.checkpoints import score_checkpoints
from ueo_core.analysis.hand_labels import draw_sample, save_hand_labels
from ueo_core.analysis.run_result import read_inspection
from ueo_core.analysis.trust_check import trust_check
from ueo_core.analysis.tsne import compute_tsne
from ueo_core.config.settings import Settings
from ueo_core.data.store import Store
from ueo_core.runs.control import Control
from ueo_core.runs.create import create_run, reference
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.lock import run_locked
from ueo_core.runs.notices import mark_seen
from ueo_core.runs.run_adapter import adapter_of_run
from ueo_core.runs.worker import execute
from ueo_core.utils.background_jobs import Job
from ueo_core.utils.paths import runs_root, store_root
from ueo_core.workspace.dataset import Dataset, create_dataset, open_dataset
from ueo_core.workspace.imported_adapters import import_adapter
from ueo_core.workspace.prediction_history import classify_uploads
from ueo_core.workspace.study import Study, carry_out_study, dataset_fingerprint, save_study
from ueo_core.workspace.upload import ingest_path, spool

CLASSES = ["dog", "cat", "house"]
# Every file of the home by its kind; the damage tests walk these, and fail on a file of no kind.
KINDS = {
    "run: config": "runs/*/config.json",
    "run: state": "runs/*/state.json",
    "run: events": "runs/*/events.jsonl",
    "run: labels": "runs/*/labels.json",
    "run: result": "runs/*/result.json",
    "run: zero-shot": "runs/*/zero_shot.safetensors",
    "run: adapted": "runs/*/adapted.safetensors",
    "run: adapter": "runs/*/delta.safetensors",
    "run: recommended adapter": "runs/*/guarded.safetensors",
    "run: recommended predictions": "runs/*/guarded_answers.safetensors",
    "run: checkpoint": "runs/*/checkpoints/*.safetensors",
    "run: predictions": "runs/*/predictions.csv",
    "run: hand labels": "runs/*/hand_labels.json",
    "run: scored checkpoint": "runs/*/scored/[0-9]*.safetensors",
    "run: t-SNE": "runs/*/scored/tsne-*.safetensors",
    "run: predictions of new images": "runs/*/used/*.safetensors",
    "run: lock": "runs/*/claim",
    "run: seen": "runs/*/seen",
    "dataset": "datasets/*[!s].json",
    "dataset: labels": "datasets/*.labels.json",
    "store: manifest": "store/sets/*.json",
    "store: last use": "store/sets/*.used",
    "store: pixels": "store/objects/*.pixels",
    "store: index": "store/objects/*.index",
    "store: features": "store/features/*/*.safetensors",
    "store: hashes": "store/hashes/*.json",
    "store: lock": "store/prune.lock",
    "upload: names": "uploads/*/names.json",
    "upload: file": "uploads/*/[0-9]*",
    "adapter": "deltas/*/delta.safetensors",
    "adapter: place": "deltas/*/where.json",
    "study": "protocols/*/study.json",
    "study: protocol": "protocols/*/out/protocol.json",
    "study: row": "protocols/*/out/rows/*.json",
    "study: table": "protocols/*/out/table.*",
}


@dataclass(frozen=True)
class Home:
    """A home, and what is in it by id."""

    root: Path
    photos: Path  # labeled images outside of the home
    dataset: str
    stopped: str  # a dataset whose intake was stopped
    finished: str  # runs
    paused: str
    adapter: str
    study: str

    def files(self, kind: str) -> list[Path]:
        """The files of a kind, those of the finished run first."""
        found = sorted(self.root.glob(KINDS[kind]), key=lambda p: (self.finished not in p.parts, p))
        return [p for p in found if p.is_file()]

    def restore(self, backup: Path) -> None:
        """Put a copy of the home back in its place."""
        shutil.rmtree(self.root)
        shutil.copytree(backup, self.root)

    def everything(self) -> dict[str, bytes]:
        """All files by their path in the home."""
        return {
            p.relative_to(self.root).as_posix(): p.read_bytes()
            for p in sorted(self.root.rglob("*"))
            if p.is_file()
        }


def png(seed: int) -> bytes:
    g, file = np.random.default_rng(seed), io.BytesIO()
    Image.fromarray(g.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


def build_home(root: Path, photos: Path, model: tuple[Path, Path]) -> Home:
    """Make the home in `root`, which UEO_STUDIO_HOME must name. photos: of a folder to create."""
    names = [*CLASSES * 4, *["zebra"] * 4, "sun", "sun"]
    uploads = [(f"{name}/{i}.png", png(i)) for i, name in enumerate(names)]
    for name, data in uploads:
        path = photos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    job = Job("test", "test")
    dataset = _dataset(job, photos)
    stopped = _stopped(uploads)
    finished = _run(dataset, "finished", model, labels=False, lr="auto")
    paused = _run(dataset, "paused", model)
    execute(finished)
    execute(paused, Control(until=2))
    _look(finished)
    classify_uploads(job, adapter_of_run(finished.path), spool(_streams(uploads[:5])))
    adapter = import_adapter(job, (finished.path / "delta.safetensors").read_bytes())
    study = Study(
        data=dataset.id,
        data_title=dataset.title,
        marks=dataset_fingerprint(dataset),
        by_share=False,
        backbone=str(model[0]),
        pretrained=str(model[1]),
        shifts=("closed", "open"),
        methods=("zero-shot", "ueo"),
        seeds=1,
        epochs=1,
        lr=1e-2,
    )
    save_study(study)
    carry_out_study(study, job)
    return Home(root, photos, dataset.id, stopped.id, finished.id, paused.id, adapter, study.id)


def _streams(uploads) -> list:
    return [(name, io.BytesIO(data)) for name, data in uploads]


def _dataset(job: Job, photos: Path) -> Dataset:
    """A pool with folders' labels, and the same images as a test set."""
    made = ingest_path(job, str(photos), 64)
    ingest_path(job, str(photos / "zebra"), 64, made.dataset)
    dataset = open_dataset(made.dataset).changed(classes=CLASSES)
    labels = [name.partition("/")[0] for name in dataset.images().names]
    return dataset.with_labels(labels, "folders")


def _stopped(uploads) -> Dataset:
    """A dataset from an upload that was stopped after four files."""
    kept = spool(_streams(uploads))
    kept.keep()
    store = Store(store_root(), 64)
    images = store.open(store.ingest_files(kept.files[:4], name="stopped").set_id)
    origin = {"kind": "upload", "name": "stopped", "unfinished": True, "spool": kept.folder.name}
    return create_dataset("stopped", reference(store, images), origin=origin)


def _run(
    dataset: Dataset,
    name: str,
    model: tuple[Path, Path],
    labels: bool = True,
    lr: float | str = 1e-2,
) -> RunFolder:
    settings = Settings(
        backbone=str(model[0]),
        pretrained=str(model[1]),
        epochs=2,
        batch_size=10,
        lr=lr,
        device="cpu",
    )
    raw = dataset.labels()
    folder = create_run(
        runs_root() / name,
        settings,
        list(dataset.classes),
        dataset.pool,
        raw["pool"] if labels else None,
        dataset.holdout if labels else None,
        raw["holdout"] if labels else None,
        title=f"{name} run",
    )
    folder.update(threads=1)
    return folder


def _look(run: RunFolder) -> None:
    """What people leave in a run's folder by looking at it."""
    score_checkpoints(run, run.checkpoints()[1:2])
    opened = read_inspection(run)
    part = opened.parts["pool"]
    labels = draw_sample(part)
    labels.give(labels.next, 0)
    save_hand_labels(run, labels)
    check = trust_check(run, opened, part)
    check.give(check.next, 1)
    compute_tsne(run, "pool", opened.step)
    mark_seen(run)
    assert not run_locked(run.path)  # looking for a lock leaves its file
