"""Several processes give what one gives, to rounding: features, crops, losses, and the adapter."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.small_runs import CLASSES, store  # noqa: F401
from tests.helpers.torchrun import ROOT, environment, process_of_rank, torchrun
from ueo_core.config.settings import Settings
from ueo_core.runs.create import reference
from ueo_core.runs.error_messages import sentence
from ueo_core.training.ranks import part_of

CASES = {
    "plain": {},
    "chunks": {"chunk": 1},  # parts inside a part
    "prompt": {"trained": "prompt"},
    "affine": {"trained": "affine", "method": "infomax"},
    "start": {"method": "unient"},  # needs the zero-shot features
}


@pytest.fixture(scope="module")
def computed(store, tiny_files, tmp_path_factory):  # noqa: F811
    """By number of processes and case, what the first process computed on 12 images, batches of 5."""
    images, sets = store
    config, weights = tiny_files["vit"]
    settings = Settings(
        backbone=str(config),
        pretrained=str(weights),
        epochs=2,
        batch_size=5,
        lr=1e-2,
        device="cpu",
    )
    folder = tmp_path_factory.mktemp("ranks")
    given = {
        "settings": settings.to_json(),
        "classes": CLASSES,
        "pool": reference(images, sets["pool"]),
        "cases": CASES,
    }
    (folder / "config.json").write_text(json.dumps(given), encoding="utf-8")
    found = {}
    for processes in (1, 2, 3):
        out = folder / str(processes)
        out.mkdir()
        done = subprocess.run(
            [
                *torchrun(processes),
                "tests.helpers.ranks_host",
                str(folder / "config.json"),
                str(out),
            ],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        found[processes] = {case: dict(np.load(out / f"{case}.npz")) for case in CASES}
    return found


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("processes", [2, 3])
def test_the_result_does_not_depend_on_the_number_of_processes(computed, case, processes):
    one, several = computed[1][case], computed[processes][case]
    assert one.keys() == several.keys()
    for name, value in one.items():
        np.testing.assert_allclose(several[name], value, rtol=1e-4, atol=2e-6, err_msg=name)


def test_the_adaptation_moved_what_it_trains(computed):
    moved = {c: np.abs(f["after"] - f["before"]).max() for c, f in computed[2].items()}
    assert moved["prompt"] == 0 and min(moved[c] for c in ("plain", "chunks", "affine")) > 1e-4
    assert len(computed[2]["plain"]["losses"]) == 6


def test_other_processes_encode_at_the_precision_of_the_first(computed):
    for found in computed[3].values():
        assert np.abs(found["short"] - found["before"]).max() > 1e-5
        assert np.abs(found["short crops"] - found["crops"]).max() > 1e-5


def test_parts_are_even_and_complete():
    for n in range(0, 12):
        parts = [part_of(n, r, 3) for r in range(3)]
        assert [i for p in parts for i in range(n)[p]] == list(range(n))
        sizes = [p.stop - p.start for p in parts]
        assert max(sizes) - min(sizes) <= 1


def test_a_lost_process_is_named():
    error = RuntimeError("[pair.cc:534] Connection closed by peer [127.0.0.1]:4711")
    assert "Another process of this run has ended" in sentence(error)


@pytest.fixture
def photos(tmp_path, store):  # noqa: F811
    """A folder with the twelve images of the pool, and the command that adapts to it."""
    from PIL import Image

    _, sets = store
    (tmp_path / "photos").mkdir()
    for i in range(len(sets["pool"])):
        Image.fromarray(np.asarray(sets["pool"].pixels(i))).save(tmp_path / "photos" / f"{i}.png")
    return tmp_path


def command(folder: Path, tiny_files, processes: int, *more: str) -> list[str]:
    config, weights = tiny_files["vit"]
    return [
        *torchrun(processes),
        "ueo_core",
        "adapt",
        str(folder / "photos"),
        "--classes",
        ",".join(CLASSES),
        "--out",
        str(folder / f"run-{processes}"),
        "--backbone",
        str(config),
        "--pretrained",
        str(weights),
        "--device",
        "cpu",
        "--batch-size",
        "5",
        "--json",
        *more,
    ]


@pytest.mark.long
def test_the_command_gives_the_same_run(photos, tiny_files):
    """With a rate that is chosen, the choice of a model, and predictions afterwards."""
    home = environment(UEO_STUDIO_HOME=str(photos / "home"))
    for processes in (1, 2):
        done = subprocess.run(
            command(photos, tiny_files, processes, "--epochs", "3"),
            cwd=ROOT,
            env=home,
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert json.loads(done.stdout.splitlines()[-1])["state"] == "finished"
        predict = [
            *torchrun(processes),
            "ueo_core",
            "predict",
            str(photos / f"run-{processes}"),
            str(photos / "photos"),
            "--csv",
            str(photos / f"{processes}.csv"),
        ]
        subprocess.run(predict, cwd=ROOT, env=home, check=True, timeout=200, capture_output=True)
    from ueo_core.runs.folder import RunFolder

    one, two = (RunFolder(photos / f"run-{n}") for n in (1, 2))
    assert one.state["lr"] == pytest.approx(two.state["lr"], rel=1e-3)
    kinds = [[e["kind"] for e in run.events() if e["kind"] != "note"] for run in (one, two)]
    assert kinds[0] == kinds[1]
    for name in ("zero_shot", "adapted"):
        a, b = (run.tensors(name)["pool_cosines"].numpy() for run in (one, two))
        np.testing.assert_allclose(a, b, atol=1e-4)
    rows = [(photos / f"{n}.csv").read_text(encoding="utf-8").splitlines() for n in (1, 2)]
    assert [r.split(",")[:2] for r in rows[0]] == [r.split(",")[:2] for r in rows[1]]


@pytest.mark.long
def test_a_process_that_dies_ends_the_run_in_a_sentence_and_another_number_resumes(
    photos, tiny_files
):
    home = environment(UEO_STUDIO_HOME=str(photos / "home"))
    started = subprocess.Popen(
        command(photos, tiny_files, 2, "--epochs", "4000", "--lr", "1e-4"),
        cwd=ROOT,
        env=home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    run = photos / "run-2"
    deadline = time.monotonic() + 120
    while len(list((run / "checkpoints").glob("*"))) < 3:
        assert time.monotonic() < deadline and started.poll() is None
        time.sleep(0.2)
    os.kill(process_of_rank(started.pid, 1), signal.SIGKILL)
    _, told = started.communicate(timeout=120)
    assert started.returncode != 0
    from ueo_core.runs.folder import RunFolder

    state = RunFolder(run).state
    # torchrun may end the first process before it can say why; the run is resumable in either case.
    assert state["state"] in ("failed", "running")
    assert state["state"] == "running" or "Another process of this run" in state["reason"], told
    resumed = subprocess.Popen(
        [*torchrun(1), "ueo_core", "resume", str(run)], cwd=ROOT, env=home, stderr=subprocess.PIPE
    )
    before = RunFolder(run).state["step"]
    while RunFolder(run).state["step"] <= before:
        assert time.monotonic() < deadline + 120 and resumed.poll() is None
        time.sleep(0.2)
    resumed.send_signal(signal.SIGTERM)
    resumed.communicate(timeout=120)
    assert RunFolder(run).state["state"] == "paused"
