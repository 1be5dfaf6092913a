"""One model on several processes, started by torchrun: each encodes its part of the images.

UEO's loss couples all images of a batch, so that a mean of the gradients of its parts would train something
else. Here the first process (rank 0) does everything that a single one does: files, events, the loss of
the whole batch, the optimizer. The others hold a copy of the model and its images, and serve it: they
encode their part of a batch, receive the rows dL/df of their features, and return the gradients of
their part, which are summed. N processes give what one gives, to rounding. Rank 0 sends its parameters
(some 200 kB) before every piece of work, so that the others have no state of their own.

    torchrun --nproc-per-node 4 -m ueo_core adapt photos/ --classes a,b --out RUN
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from ueo_core.config.settings import Settings
from ueo_core.data.store import Store
from ueo_core.data.transforms import Views
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.encoded_parts import EncodedParts
from ueo_core.utils.errors import UserError
from ueo_core.utils.precision import tower_autocast

PATIENCE = timedelta(days=1)  # that a process waits for its next piece of work
_current: list["Ranks"] = []  # of this process, as torch.distributed itself is
Key = Sequence[int]  # of a random generator


def current() -> "Ranks | None":
    """The processes that this one is part of; None where it is the only one."""
    return _current[0] if _current else None


def part_of(n: int, rank: int, size: int) -> slice:
    """The part of n images that a process has; parts differ by at most one image."""
    sizes = [n // size + (r < n % size) for r in range(size)]
    return slice(sum(sizes[:rank]), sum(sizes[: rank + 1]))


class Ranks:
    """This process and the others. Made once a process; `close` before it ends."""

    def __init__(self, rank: int = -1, size: int = -1, address: str | None = None) -> None:
        """rank, size, address: as torchrun tells them, where they are not given.

        UserError where the processes do not find each other.
        """
        cuda = torch.cuda.is_available()
        if cuda:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        try:
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if cuda else "gloo",
                init_method=address,
                timeout=PATIENCE,
                rank=rank,
                world_size=size,
            )
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f"Several processes: they do not find each other ({error}); start them with torchrun."
            ) from error
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        # Of them, those on this machine, which share its cores.
        self.here = int(os.environ.get("LOCAL_WORLD_SIZE", self.size))
        _current.append(self)

    def close(self) -> None:
        """Let the other processes end."""
        _current.clear()
        try:
            if self.rank == 0:
                self.tell({"work": "end"})
        finally:
            dist.destroy_process_group()

    def meet(self) -> None:
        """Wait until all processes are here. RuntimeError where one of them has ended."""
        dist.barrier()

    def tell(self, message: dict[str, Any]) -> None:
        """Send plain data to the other processes."""
        data = torch.frombuffer(bytearray(json.dumps(message).encode()), dtype=torch.uint8)
        dist.broadcast(torch.tensor([len(data)]), 0)
        dist.broadcast(data, 0)

    def hear(self) -> dict[str, Any]:
        """Receive what rank 0 tells."""
        length = torch.zeros(1, dtype=torch.int64)
        dist.broadcast(length, 0)
        data = torch.zeros(int(length), dtype=torch.uint8)
        dist.broadcast(data, 0)
        return json.loads(bytes(data.numpy()))

    def parameters(self, model: AdaptedCLIP) -> None:
        """Copy the adapter of rank 0 to the others."""
        own = model.adapter()
        flat = torch.cat([v.reshape(-1) for v in own.values()])
        dist.broadcast(flat, 0)
        if self.rank:
            sizes = [v.numel() for v in own.values()]
            parts = zip(own.items(), flat.split(sizes), strict=True)
            model.load_adapter({k: part.view(v.shape) for (k, v), part in parts})

    def collect(self, own: Tensor, n: int) -> Tensor:
        """On rank 0 the rows of all processes, in their order; elsewhere only `own` is sent.

        own: (n_rank, D) of this process's part of n images.
        """
        if self.rank:
            dist.send(own.contiguous(), 0)
            return own
        found = [own]
        for rank in range(1, self.size):
            part = part_of(n, rank, self.size)
            rows = own.new_empty((part.stop - part.start, own.shape[1]))
            dist.recv(rows, rank)
            found.append(rows)
        return torch.cat(found)

    def spread(self, whole: Tensor | None, own: Tensor, n: int) -> Tensor:
        """The inverse of `collect`: rows of `whole` (n, D), which rank 0 has, to each process."""
        if self.rank:
            found = torch.empty_like(own)
            dist.recv(found, 0)
            return found
        assert whole is not None
        for rank in range(1, self.size):
            dist.send(whole[part_of(n, rank, self.size)].contiguous(), rank)
        return whole[part_of(n, 0, self.size)]

    def add_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """On rank 0, the sum of the gradients of all processes."""
        if not parameters:
            return
        flat = torch.cat(
            [
                (p.grad if p.grad is not None else torch.zeros_like(p)).reshape(-1)
                for p in parameters
            ]
        )
        dist.reduce(flat, 0)
        if self.rank == 0:
            for p, grad in zip(
                parameters, flat.split([p.numel() for p in parameters]), strict=True
            ):
                p.grad = grad.view(p.shape).clone()


@dataclass(frozen=True)
class Shared:
    """That the images of some views are known to all processes, and by which name."""

    ranks: Ranks
    name: str

    def part(self, n: int) -> slice:
        """Rank 0's part of n images."""
        return part_of(n, 0, self.ranks.size)

    def features(
        self,
        model: AdaptedCLIP,
        work: dict[str, Any],
        n: int,
        encode: Callable[[slice], Tensor],
    ) -> Tensor:
        """Features of n images, each process encoding its part. → (n, D) on the CPU

        work: what the others are told; encode(part): of this process's part, which may raise.
        """
        self.ranks.tell({**work, "set": self.name})
        self.ranks.parameters(model)
        part = self.part(n)
        try:
            own = encode(part)
        except BaseException:
            # The others have encoded, and wait to send: what they send is as wide as a class's features.
            with torch.no_grad():
                width = model.encode_text().shape[1]
            self.ranks.collect(torch.zeros((part.stop - part.start, width)), n)
            raise
        return self.ranks.collect(own, n)

    def begin_step(self, model: AdaptedCLIP, batch: np.ndarray, key: Key, about: dict) -> None:
        """Let the others encode their parts of a training batch."""
        self.ranks.tell(
            {
                "work": "step",
                "set": self.name,
                "indices": [int(i) for i in batch],
                "key": list(key),
                **about,
            }
        )
        self.ranks.parameters(model)


# What the other processes do


def describe(
    settings: Settings, model: AdaptedCLIP, sets: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """What another process needs to have the same model and the same images.

    sets: references of the image sets (`store`, `set`) by name.
    """
    return {
        "work": "open",
        "settings": settings.to_json(),
        "device": model.device.type,
        "preprocessing": {"backbone": model.backbone.name} | model.backbone.preprocessing.to_json(),
        "classes": model.classes,
        "synonyms": model.texts.synonyms,
        "sets": {name: dict(reference) for name, reference in sets.items()},
    }


def serve(ranks: Ranks, command: Callable[[], object] | None = None) -> None:
    """Do the work that rank 0 tells, until it ends; also when it dies.

    command: what torchrun started all processes with; done where rank 0 tells that all take part in it.
    """
    follower: _Follower | None = None
    try:
        while (told := ranks.hear())["work"] != "end":
            if told["work"] == "open":
                follower = _Follower(ranks, told)
            elif told["work"] == "command":
                assert command is not None, "started without a command"
                command()
            else:
                assert follower is not None, "no model was opened"
                getattr(follower, told["work"])(told)
    except RuntimeError as error:
        if "onnection" not in str(error) and "eer" not in str(error):
            raise  # an error of our own: rank 0 sees that this process has ended, and says so


class _Follower:
    """A copy of rank 0's model, with the same images."""

    def __init__(self, ranks: Ranks, told: dict[str, Any]):
        self.ranks, self.settings = ranks, Settings.from_json(told["settings"])
        s = self.settings
        loaded = backbones.load(s.backbone, s.pretrained, told["device"])
        own = loaded.preprocessing.as_adapted(told["preprocessing"])
        backbone = replace(loaded, preprocessing=own)
        self.model = AdaptedCLIP(
            backbone,
            told["classes"],
            s.prompt,
            templates=s.templates,
            synonyms=told["synonyms"],
        )
        self.views = {
            name: Views(
                Store(Path(reference["store"]), backbone.store_side).open(reference["set"]),
                backbone,
                s.crop_scale,
                s.flip,
            )
            for name, reference in told["sets"].items()
        }

    def _begin(self, told: dict[str, Any]) -> tuple[Views, list[int], slice]:
        self.ranks.parameters(self.model)
        indices = told["indices"]
        return (
            self.views[told["set"]],
            indices,
            part_of(len(indices), self.ranks.rank, self.ranks.size),
        )

    @torch.no_grad()
    def evaluation(self, told: dict[str, Any]) -> None:
        """Features of evaluation views."""
        views, indices, part = self._begin(told)
        batches = views.batches(told["batch"], np.asarray(indices[part], np.int64))
        with tower_autocast(told["precision"], self.model.device):
            parts = [self.model.encode_image(images).cpu() for images in batches]
        self._send(parts, len(indices))

    @torch.no_grad()
    def crops(self, told: dict[str, Any]) -> None:
        """Features of random crops."""
        views, indices, part = self._begin(told)
        if part.stop > part.start:
            images = views.training(indices, np.random.default_rng(told["key"]), part)
            with tower_autocast(told["precision"], self.model.device):
                features = self.model.encode_image(images).cpu()
            self._send([features], len(indices))
        else:
            self._send([], len(indices))

    def _send(self, parts: list[Tensor], n: int) -> None:
        self.ranks.collect(torch.cat(parts) if parts else torch.zeros((0, 0)), n)

    def step(self, told: dict[str, Any]) -> None:
        """The gradients of this process's part of a training batch."""
        views, indices, part = self._begin(told)
        parameters = [p for p in self.model.select(told["trained"]) if p is not self.model.context]
        for p in parameters:
            p.grad = None
        images = views.training(indices, np.random.default_rng(told["key"]), part)
        encoded = EncodedParts(self.model, images, told["chunk"], told["precision"])
        self.ranks.collect(encoded.features, len(indices))
        encoded.backward(self.ranks.spread(None, encoded.features, len(indices)))
        self.ranks.add_gradients(parameters)
