"""The plain script and the studio, each in its own process with its own memory.

One side waits while the other computes its step, so that the rounds alternate in time and other
load on the machine affects both equally.
"""

import contextlib
import multiprocessing
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ueo_core.utils.errors import UserError

STORED = (366, 488)  # pixels of an image in memory: what the store keeps of a 4 : 3 photo at 224


@dataclass(frozen=True)
class Task:
    """What both sides do."""

    backbone: str
    pretrained: str | None  # None: random weights
    classes: int
    batch: int  # images per step
    device: str
    threads: int
    chunk: int | None  # ours; None: chosen by memory
    precision: str = "float32"  # ours; plain is float32
    photos: str | None = None  # folder, for the whole adaptation
    epochs: int = 1  # of the whole adaptation


class SideProcess:
    """The process of one side. `step` and `whole` → (wall seconds, CPU seconds)."""

    def __init__(self, side: str, task: Task):
        context = multiprocessing.get_context("spawn")
        self.side = side
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, side, task), daemon=True)
        self._process.start()
        theirs.close()
        try:
            self._reply()  # sent when the model is built
        except UserError:
            self.close()
            raise

    def step(self) -> tuple[float, float]:
        return self._ask("step")

    def whole(self) -> tuple[float, float]:
        return self._ask("whole")

    def peak_memory_mb(self) -> float | None:
        return self._ask("peak_memory_mb")

    def flops(self) -> int:
        """Floating-point operations of one step, matrix products and convolutions."""
        return self._ask("flops")

    def matrix_peak(self) -> float:
        """Measured operations per second of the device in a large matrix product."""
        return self._ask("matrix_peak")

    def close(self) -> None:
        self._process.terminate()
        self._process.join(10)
        self._pipe.close()

    def _ask(self, what: str):
        self._pipe.send(what)
        return self._reply()

    def _reply(self):
        try:
            reply = self._pipe.recv()
        except EOFError:
            raise UserError(
                f"The {self.side} side of the benchmark was ended by the system, most likely because "
                "memory ran out; choose a smaller --batch-size or fewer --classes."
            ) from None
        if isinstance(reply, UserError):
            raise reply
        return reply


def _serve(pipe, side: str, task: Task) -> None:
    """Build one side, then serve requests until the pipe closes."""
    try:
        measured = {"plain": _Plain, "ours": _Ours}[side](task)
        pipe.send("ready")
        while True:
            what = pipe.recv()
            if what in ("peak_memory_mb", "flops", "matrix_peak"):
                pipe.send(getattr(measured, what)())
                continue
            wall, cpu = time.perf_counter(), time.process_time()
            getattr(measured, what)()
            pipe.send((time.perf_counter() - wall, time.process_time() - cpu))
    except EOFError:
        pass
    except UserError as error:
        pipe.send(error)


class _Side:
    """What both sides share: threads, the model, the memory that they report."""

    def __init__(self, task: Task):
        import torch

        from ueo_core.bench.names import class_names
        from ueo_core.models import backbones

        torch.set_num_threads(task.threads)
        self.torch, self.task, self.precision = torch, task, task.precision
        self.device = backbones.pick_device(task.device)
        self.names = class_names(task.classes)
        self.random = np.random.default_rng(0)

    def stock(self):
        from ueo_core.bench.reference import benchmark_stock

        return benchmark_stock(self.task.backbone, self.task.pretrained)

    def arrays(self) -> list[np.ndarray]:
        """A batch of decoded images, uint8 (H, W, 3)."""
        shape = (self.task.batch, *STORED, 3)
        return list(self.random.integers(0, 256, shape, dtype=np.uint8))

    def peak_memory_mb(self) -> float | None:
        if self.device.type == "cuda":
            return round(self.torch.cuda.max_memory_allocated() / 1e6, 1)
        from ueo_core.runs.worker import peak_memory_mb

        return peak_memory_mb()

    @property
    def folder(self) -> Path:
        """The photos of the whole adaptation."""
        assert self.task.photos is not None, "`whole` needs a folder of photos"
        return Path(self.task.photos)

    def step(self) -> None:
        """One training step, until the device has finished it."""
        raise NotImplementedError

    def flops(self) -> int:
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counted:
            self.step()
        return counted.get_total_flops()

    def matrix_peak(self) -> float:
        """Operations per second of the best of several products, in the precision of the steps.

        On a CPU a convolution may be faster: it comes from another library, which needs fewer
        operations than are counted.
        """
        from ueo_core.utils.precision import resolve_precision

        torch = self.torch
        n = 8192 if self.device.type == "cuda" else 2048
        dtype = getattr(torch, resolve_precision(self.precision, self.device))
        a, best = torch.randn(n, n, device=self.device, dtype=dtype), float("inf")
        product = torch.empty_like(a)
        for _ in range(6):
            self.wait()
            began = time.perf_counter()
            torch.mm(a, a, out=product)
            self.wait()
            best = min(best, time.perf_counter() - began)
        return 2 * n**3 / best

    def wait(self) -> None:
        """Wait until the device has finished its work."""
        if self.device.type == "cuda":
            self.torch.cuda.synchronize()


class _Plain(_Side):
    """Stock open_clip; see `ueo_core.bench.reference`."""

    def __init__(self, task: Task):
        from PIL import Image

        from ueo_core.bench import reference as plain

        super().__init__(task)
        self.plain = plain
        self.built = self.stock()
        self.clip = plain.PlainCLIP(self.built, self.names, "a photo of a", self.device)
        images = [Image.fromarray(a) for a in self.arrays()]
        # On a CPU the step itself uses all cores; for a GPU, one process per core loads images.
        self.workers = 0 if self.device.type == "cpu" else os.cpu_count() or 1
        self.views = plain.PlainViews(images, self.built, training=True)
        self.weights = self.torch.ones(task.batch, device=self.device)

    def step(self) -> None:
        images = self.torch.stack([self.views[i][0] for i in range(len(self.views))])
        self.clip.step(images.to(self.device), self.weights)
        self.wait()

    def whole(self) -> None:
        files = sorted(self.folder.iterdir())
        self.plain.plain_adaptation(
            self.clip, self.built, files, self.task.batch, self.task.epochs, self.workers
        )
        self.wait()


class _Ours(_Side):
    """The studio: its training loop for a step, a run from folder to result for the whole."""

    def __init__(self, task: Task):
        from ueo_core.config.settings import Settings
        from ueo_core.data.transforms import Views
        from ueo_core.models import backbones
        from ueo_core.models.adapted_clip import AdaptedCLIP
        from ueo_core.models.measured_form import measured_form
        from ueo_core.training.loop import adapt
        from ueo_core.utils.memory import reuse_freed_memory

        super().__init__(task)
        self.backbone = backbones.prepare(self.stock(), self.device)
        self.model = AdaptedCLIP(self.backbone, self.names)
        self.memory = contextlib.ExitStack()  # for the whole process, as the worker of a run does
        self.memory.enter_context(reuse_freed_memory(self.device))
        form = measured_form(self.model, task.precision)  # as that worker does
        self.precision = form.get("precision", task.precision)
        self.settings = Settings(
            backbone=task.backbone,
            pretrained=task.pretrained,
            batch_size=task.batch,
            epochs=10_000,
            device=task.device,
            chunk=task.chunk,
            precision=self.precision,
        )
        views = Views(_Pixels(self.arrays()), self.backbone)
        self.steps = adapt(self.model, views, self.torch.ones(task.batch), self.settings)

    def step(self) -> None:
        next(self.steps)
        self.wait()

    def whole(self) -> None:
        import tempfile

        from ueo_core.data.store import Store
        from ueo_core.runs.create import create_run, reference
        from ueo_core.runs.model_cache import ModelCache
        from ueo_core.runs.worker import execute

        settings = self.settings.changed(epochs=self.task.epochs)
        with tempfile.TemporaryDirectory() as folder:
            store = Store(Path(folder) / "store", self.backbone.store_side)
            report = store.ingest(self.folder)
            assert report.set_id is not None, "every photo is usable"
            images = store.open(report.set_id)
            run = create_run(Path(folder) / "run", settings, self.names, reference(store, images))
            cache = ModelCache()
            cache.put(settings, self.backbone)
            state = execute(run, cache=cache)
            if state["state"] != "finished":
                raise UserError(state["reason"])


class _Pixels:
    """Decoded images in memory."""

    def __init__(self, arrays: list[np.ndarray]):
        self.arrays = arrays

    def __len__(self) -> int:
        return len(self.arrays)

    def pixels(self, i: int) -> np.ndarray:
        return self.arrays[i]
