"""A training step recorded once and replayed: one launch instead of some thousand.

A step of a small batch is over before a processor has launched its kernels one by one (RN50 at
batch 64 on an H100: 93 ms, of which the card computes for a tenth). A CUDA graph launches them all
at once; the kernels, and so the numbers, are the same.
Source: https://pytorch.org/docs/stable/notes/cuda.html#cuda-graphs, whole-network capture.
"""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

WARM = 3  # runs before recording: libraries choose their kernels and allocate in them

# Images (B, 3, H, W) and their places in the pool (B,) → losses; gradients are left in `.grad`.
Compute = Callable[[Tensor, Tensor], Sequence[Tensor]]


@dataclass(frozen=True)
class _Recorded:
    """One graph and the tensors that it reads and writes at every replay."""

    graph: torch.cuda.CUDAGraph
    images: Tensor
    places: Tensor
    losses: Tensor
    gradients: tuple[Tensor, ...]


class GraphedStep:
    """Stands in for `compute` on a CUDA device; one graph for each size of batch.

    compute: must read nothing back to the processor, and choose no shape by a value.
    """

    def __init__(self, compute: Compute, parameters: Sequence[nn.Parameter]):
        self.compute, self.parameters = compute, parameters
        self._recorded: dict[int, _Recorded] = {}

    def __call__(self, images: Tensor, places: Tensor) -> Tensor:
        """Losses of a batch, stacked, still on the device; gradients are in `.grad`."""
        step = self._recorded.get(len(images)) or self._record(images, places)
        step.images.copy_(images)
        step.places.copy_(places)
        step.graph.replay()
        for parameter, gradient in zip(self.parameters, step.gradients, strict=True):
            parameter.grad = gradient
        return step.losses

    def _record(self, images: Tensor, places: Tensor) -> _Recorded:
        images, places = images.clone(), places.clone()
        # A graph of autograd that is still alive from elsewhere would tie the parameters to another
        # stream, and a stream that is recorded may wait for none.
        gc.collect()
        torch.cuda.empty_cache()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM):
                self._forget_gradients()
                self.compute(images, places)
        torch.cuda.current_stream().wait_stream(side)
        self._forget_gradients()
        torch.cuda.empty_cache()  # a recording has memory of its own and cannot take what is cached
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=side):
            losses = torch.stack([v.detach() for v in self.compute(images, places)])
        gradients = tuple(p.grad for p in self.parameters if p.grad is not None)
        step = _Recorded(graph, images, places, losses, gradients)
        self._recorded[len(images)] = step
        return step

    def _forget_gradients(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None
