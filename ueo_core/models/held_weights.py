"""Frozen weights in the number format of a GPU's matrix products, converted once."""

import torch
from torch import Tensor, nn


def held(module: nn.Module, name: str, factor: float = 1.0) -> Tensor:
    """A frozen parameter, times a factor, as autocast would convert it; kept with its module.

    Autocast itself converts what does not train at every use. On a CPU, outside autocast, and for what
    trains, nothing is kept.
    """
    value: Tensor = getattr(module, name)
    if not value.is_cuda or value.requires_grad or not torch.is_autocast_enabled("cuda"):
        return value if factor == 1 else factor * value
    kind = torch.get_autocast_dtype("cuda")
    # No buffer: copies of a module, and what is saved of it, have their own weights only.
    kept = vars(module).setdefault("_held", {})
    if (found := kept.get((name, kind))) is None:
        found = (factor * value.detach()).to(kind)
        torch.cuda.current_stream().synchronize()  # other threads use it on other streams
        kept[name, kind] = found
    return found
