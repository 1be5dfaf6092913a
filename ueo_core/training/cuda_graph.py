"""A training step recorded once and replayed: one launch instead of some thousand.

A step of a small batch is over before a processor has launched its kernels one by one (RN50 at
batch 64 on an H100: 93 ms, of which the card computes for a tenth). A CUDA graph launches them all
at once; the kernels, and so the numbers, are the same.
Source: https://pytorch.org/docs/stable/notes/cuda.html#cuda-graphs, whole-network capture.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ueo_core.utils.memory import release_memory

log = logging.getLogger(__name__)
WARM = 2  # runs before recording: libraries choose their kernels and allocate in them
SPARE = 1.25  # times the memory of a step that must be free for a recording, which keeps its own

# Images (B, 3, H, W) and their places in the pool (B,) → losses; gradients are left in `.grad`.
Compute = Callable[[Tensor, Tensor], Sequence[Tensor]]


@dataclass(frozen=True)
class _Recorded:
    """One graph and the tensors that it reads and writes at every replay."""

    graph: torch.cuda.CUDAGraph
    images: Tensor
    places: Tensor
    losses: Tensor
    gradients: tuple[Tensor | None, ...]


@contextlib.contextmanager
def aliases(model: nn.Module, parameters: Sequence[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Within the block, `model` has other parameters on the same memory in place of these.

    Autograd keeps one node for each leaf, tied to the stream on which the leaf was first used, for
    as long as any of its graphs is alive, and a stream that is recorded may wait for no other.
    These leaves are new.
    """
    new = {id(p): nn.Parameter(p.detach(), p.requires_grad) for p in parameters}
    places = [
        (module, name, value)
        for module in model.modules()
        for name, value in module.named_parameters(recurse=False, remove_duplicate=False)
        if id(value) in new
    ]
    try:
        for module, name, value in places:
            setattr(module, name, new[id(value)])
        yield [new[id(p)] for p in parameters]
    finally:
        for module, name, value in places:
            setattr(module, name, value)


class GraphedStep:
    """Stands in for `compute` on a CUDA device; one graph for each size of batch.

    Where a step cannot be recorded, for lack of memory or because an operation does not allow it,
    all steps are computed one launch at a time, with a warning in the log.

    compute: must read nothing back to the processor, and choose no shape by a value.
    """

    def __init__(self, model: nn.Module, compute: Compute, parameters: Sequence[nn.Parameter]):
        self.model, self.compute, self.parameters = model, compute, parameters
        self.possible = True
        self._recorded: dict[int, _Recorded] = {}

    def __call__(self, images: Tensor, places: Tensor) -> Tensor:
        """Losses of a batch, stacked, still on the device; gradients are in `.grad`."""
        step = self._recorded.get(len(images)) or self._recording(images, places)
        if step is None:
            self._clear(self.parameters)
            return torch.stack([v.detach() for v in self.compute(images, places)])
        step.images.copy_(images)
        step.places.copy_(places)
        step.graph.replay()
        for parameter, gradient in zip(self.parameters, step.gradients, strict=True):
            parameter.grad = gradient
        return step.losses

    def _recording(self, images: Tensor, places: Tensor) -> _Recorded | None:
        """A new graph; None where there can be none, now and from then on."""
        if not self.possible:
            return None
        try:
            step = self._recorded[len(images)] = self._record(images, places)
            return step
        except RuntimeError as error:
            log.warning("A training step is not recorded as a CUDA graph: %s", error)
        self.possible = False
        self._recorded.clear()
        release_memory()
        return None

    def _record(self, images: Tensor, places: Tensor) -> _Recorded:
        """RuntimeError where that is not possible."""
        self._clear(self.parameters)
        images, places = images.clone(), places.clone()
        side = torch.cuda.Stream()
        with aliases(self.model, self.parameters) as leaves:
            held = torch.cuda.memory_allocated()
            torch.cuda.reset_peak_memory_stats()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(WARM):
                    self._clear(leaves)
                    self.compute(images, places)
                self._clear(leaves)
            side.synchronize()
            needed = torch.cuda.max_memory_allocated() - held
            # What is cached belongs to other streams, and a recording cannot take it.
            release_memory()
            if torch.cuda.mem_get_info()[0] < SPARE * needed:
                raise RuntimeError(f"it needs {SPARE * needed / 1e9:.1f} GB of free memory")
            graph = torch.cuda.CUDAGraph()
            # Graphs of other sizes never run at the same time, so they share their memory.
            pool = next((r.graph.pool() for r in self._recorded.values()), None)
            # Other threads may use the device meanwhile: a page predicts while a run trains.
            with torch.cuda.graph(graph, pool, side, capture_error_mode="thread_local"):
                losses = torch.stack([v.detach() for v in self.compute(images, places)])
            gradients = tuple(leaf.grad for leaf in leaves)
        if any(parameter.grad is not None for parameter in self.parameters):
            raise RuntimeError("a part of the model holds its parameters elsewhere")
        return _Recorded(graph, images, places, losses, gradients)

    @staticmethod
    def _clear(leaves: Sequence[nn.Parameter]) -> None:
        for leaf in leaves:
            leaf.grad = None
