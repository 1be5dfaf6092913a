"""Kills commands and the app's runs at random moments with signal 9, and looks at what is left.

    python -m tests.helpers.kills FOLDER KILLS SEED → one JSON object: kills by command

After a kill every file is readable, and a file that people get is whole or not there. Then the command
is given again, and killed again or left to end: its result is that of one that was never killed.
Children are forked, to import torch once.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ueo_core.cli.main import main as command
from ueo_core.data.store import Store
from ueo_core.models.adapted_clip import read_adapter
from ueo_core.protocol.tables import read_row
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.manager import Manager
from ueo_core.runs.snapshot import read_snapshot

CLASSES = "dog,cat,house"
Argv = list[str]


@dataclass(frozen=True)
class Target:
    """Something to kill."""

    name: str
    act: Callable[[Path], None]  # in the child, in a folder of its own; the same again after a kill
    result: Callable[[Path], object]  # of one that has ended
    whole: tuple[str, ...] = ()  # files that are whole or not there, whatever happened


def child(act: Callable[[], None], seconds: float | None) -> bool:
    """Act in a child, killed after so many seconds. → whether it was killed before its end"""
    pid = os.fork()
    if pid == 0:
        code = 0
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            act()
        except BaseException:  # noqa: BLE001 - the parent reads the exit code
            traceback.print_exc()
            code = 1
        finally:
            os._exit(code)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, "the command failed, see above"
    return False


def give(*argv: object) -> None:
    assert command([str(a) for a in argv]) == 0, argv


# What is killed


def targets(root: Path, model: Argv) -> list[Target]:
    pool = root / "pool"
    finished, adapt = root / "finished", adapt_words(root, model)

    def adapting(out: Path) -> None:
        run = out / "run"
        if (run / "config.json").exists():
            if RunFolder(run).state["state"] != "finished":
                give("resume", run)
        else:
            give(*adapt, "--out", run)

    def longer(out: Path) -> None:
        run = out / "run"
        if not (out / "copied").exists():
            shutil.rmtree(run, ignore_errors=True)
            shutil.copytree(finished, run)
            (out / "copied").touch()
        folder = RunFolder(run)
        if folder.state["state"] != "finished":
            give("resume", run)
        elif not folder.settings.extensions:
            give("resume", run, "--epochs", 2)

    def in_the_app(out: Path) -> None:
        manager = Manager(out)
        if not manager.ids():
            path = out / "run"
            shutil.copytree(root / "paused", out / ".copy", dirs_exist_ok=True)
            (out / ".copy").rename(path)
        if manager.snapshot("run").state != "finished":
            manager.act("run", "resume")
            while manager.snapshot("run").state != "finished":
                time.sleep(0.005)
                assert manager.snapshot("run").state != "failed", manager.snapshot("run").reason
        manager.shutdown()

    def exporting(what: str, name: str) -> Target:
        def act(out: Path) -> None:
            if not (out / name).exists():
                give("export", finished, "--what", what, "--to", out / name)

        return Target(f"export {name}", act, lambda out: content(out / name), (name,))

    return [
        Target("adapt, resume", adapting, lambda out: adapter(out / "run")),
        Target("resume --epochs", longer, lambda out: adapter(out / "run")),
        Target("a run in the app", in_the_app, lambda out: adapter(out / "run")),
        Target(
            "protocol",
            lambda out: give(
                "protocol",
                pool,
                "--classes",
                CLASSES,
                "--shift",
                "open",
                "--methods",
                "zero-shot,ueo,upl",
                "--seeds",
                2,
                "--epochs",
                1,
                "--lr",
                0.01,
                "--out",
                out / "p",
                "--store",
                root / "store",
                *model,
            ),
            lambda out: [
                {k: v for k, v in read_row(p).items() if k != "seconds"}
                for p in sorted((out / "p" / "rows").glob("*.json"))
            ],
        ),
        Target("ingest", lambda out: give("ingest", pool, "--store", out / "s"), stored),
        Target(
            "predict",
            lambda out: give(
                "predict", finished, pool, "--csv", out / "p.csv", "--store", out / "s"
            ),
            lambda out: content(out / "p.csv"),
            ("p.csv",),
        ),
        Target(
            "report",
            lambda out: give("report", finished, "--out", out / "r.html"),
            lambda out: len(content(out / "r.html")["r.html"]),
            (),
        ),
        exporting("adapter", "a.safetensors"),
        exporting("folders", "sorted"),
        exporting("folders", "sorted.zip"),
        Target(
            "evaluate", lambda out: give("evaluate", finished, pool, "--store", out / "s"), stored
        ),
    ]


def adapt_words(root: Path, model: Argv) -> Argv:
    words = ["adapt", root / "pool", "--classes", CLASSES, "--store", root / "store", *model]
    return [*words, "--epochs", 6, "--batch-size", 5, "--lr", 0.01]


def adapter(run: Path) -> object:
    found, _ = read_adapter(run / "delta.safetensors")
    values = {k: hashlib.sha256(v.numpy().tobytes()).hexdigest() for k, v in found.items()}
    return values, (run / "predictions.csv").read_bytes()


def content(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    if path.suffix == ".zip":  # but for the time in it
        import zipfile

        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    return {p.name: p.read_bytes() for p in files}


def stored(out: Path) -> object:
    store = Store(out / "s", 366)
    (info,) = store.sets()
    images = store.open(info.id)
    return {n: images.pixels(i).tobytes() for i, n in enumerate(images.names)}


# What is looked at after a kill


def readable(out: Path) -> None:
    """Every run, store and protocol below a folder is readable, whatever was being written."""
    for config in out.rglob("config.json"):
        folder = RunFolder(config.parent)
        read_snapshot(folder)
        for step in folder.checkpoints():
            folder.checkpoint(step)
        folder.labels()
    for path in out.rglob("*.json"):
        json.loads(path.read_bytes())
    for sets in out.rglob("sets"):
        store = Store(sets.parent)
        for info in store.sets():
            images = store.open(info.id)
            for i in range(len(images)):
                images.pixels(i)


def prepare(root: Path) -> Argv:
    """Images, a model, a finished run and a paused one. → the words that name the model"""
    from open_clip.model import CLIP
    from safetensors.torch import save_file

    from tests.conftest import TINY

    g = np.random.default_rng(0)
    for i, name in enumerate([*CLASSES.split(",") * 6, *["zebra"] * 6]):
        path = root / "pool" / name / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(g.integers(0, 256, (60, 60, 3), dtype=np.uint8)).save(path)
    torch.manual_seed(3)
    (root / "tiny.json").write_text(json.dumps(TINY), encoding="utf-8")
    weights = {k: v.contiguous() for k, v in CLIP(**TINY).state_dict().items()}
    save_file(weights, root / "tiny.safetensors")
    model = ["--backbone", root / "tiny.json", "--pretrained", root / "tiny.safetensors"]
    give(*adapt_words(root, model), "--out", root / "finished", "--device", "cpu")
    shutil.copytree(root / "finished", root / "paused")
    for path in (root / "paused").rglob("*"):
        if path.is_file() and path.name not in ("config.json", "labels.json", "state.json"):
            path.unlink()
    RunFolder(root / "paused").set_state("paused", step=0, phase="", reason="")
    return model


def main(where: str, kills: str, seed: str) -> None:
    torch.set_num_threads(1)  # a fork does not take a pool of threads along
    root, g, killed, tries = Path(where), random.Random(int(seed)), Counter(), 0
    os.environ["UEO_STUDIO_HOME"] = str(root / "home")
    model = prepare(root)
    found = {}
    for target in targets(root, model):
        out = root / "whole" / target.name.replace(" ", "-")
        out.mkdir(parents=True)
        began = time.monotonic()
        child(lambda out=out, target=target: target.act(out), None)
        took = time.monotonic() - began
        found[target.name] = target, took, target.result(out), out
    while killed.total() < int(kills):
        target, took, wanted, whole = found[g.choice(list(found))]
        out = root / "killed" / str(tries)
        out.mkdir(parents=True)
        tries += 1
        while child(lambda: target.act(out), g.uniform(0.02, 1.1) * took):  # noqa: B023
            killed[target.name] += 1
            readable(out)
            for name in target.whole:
                assert not (out / name).exists() or content(out / name) == content(whole / name)
            if g.random() < 0.4:
                child(lambda: target.act(out), None)  # noqa: B023
                break
        assert target.result(out) == wanted, f"{target.name}: another result after kills"
        shutil.rmtree(out)
    print(json.dumps({"kills": killed.total(), "tries": tries, "by": dict(killed)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
