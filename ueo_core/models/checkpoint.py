"""Weights from a checkpoint file, read without unpickling; every refusal names its cause."""

import json
import zipfile
from pathlib import Path

import open_clip
import torch
from open_clip.factory import load_state_dict
from torch import Tensor, nn

from ueo_core.utils.errors import UserError

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
FLOAT16_MAX = torch.finfo(torch.float16).max


def load_checkpoint(name: str, model: nn.Module, path: Path) -> None:
    """Load a checkpoint file strictly; UserError if it is unusable or of another model.

    It may be a training checkpoint: `state_dict` inside, names that begin with `module.`.
    """
    _check_file(path)
    try:
        open_clip.load_checkpoint(model, str(path), strict=True, weights_only=True)
    except Exception as error:
        if _is_of_another_family(model, path):
            raise UserError(
                f"Checkpoint “{path}”: it holds weights of another family of models than {name}; "
                "give the file that belongs to this model."
            ) from error
        raise UserError(
            f"Checkpoint “{path}”: it does not fit {name} ({brief(error)}); "
            "give the file that belongs to this model, as safetensors."
        ) from error
    _check_values(path, model)


def load_weights(name: str, model: nn.Module, path: Path, state: dict[str, Tensor]) -> None:
    """Load weights that were read elsewhere strictly, as `load_checkpoint` does. path: for messages"""
    own = model.state_dict()
    for key in own:  # buffers that open_clip computes itself
        if key.endswith("attn_mask") and key not in state:
            state[key] = own[key]
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise UserError(
            f"Checkpoint “{path}”: it does not fit {name} ({brief(error)}); "
            "give the folder of the whole model."
        ) from error
    _check_values(path, model)


def _check_file(path: Path) -> None:
    """Raise a UserError for a file that cannot hold usable weights, by its form alone."""
    if not path.is_file():
        raise UserError(f"Checkpoint “{path}”: there is no such file; check the path.")
    size = path.stat().st_size
    if size == 0:
        raise UserError(f"Checkpoint “{path}”: the file is empty; download it again.")
    with path.open("rb") as file:
        head = file.read(len(LFS_POINTER))
    if head == LFS_POINTER:
        raise UserError(
            f"Checkpoint “{path}”: it is a git-lfs pointer and not the weights; run `git lfs pull` "
            "where it was cloned."
        )
    is_zip = head.startswith(b"PK\x03\x04")
    if (is_zip and not zipfile.is_zipfile(path)) or (
        path.suffix == ".safetensors" and size < _safetensors_size(path)
    ):
        raise UserError(f"Checkpoint “{path}”: the file is cut short; download it again.")
    if is_zip and _is_torchscript(path):
        raise UserError(
            f"Checkpoint “{path}”: it is a TorchScript archive, which holds code; load it with "
            "torch.jit.load where you trust it, and save its state_dict as safetensors."
        )


def _safetensors_size(path: Path) -> int:
    """The size in bytes that a safetensors file must have by its header; 0 if the header is unusable."""
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        # The limit of the format's own reader: 100 MB of header.
        if len(start) < 8 or length > 100_000_000:
            return 0
        header = file.read(length)
    if len(header) < length:
        return 8 + length
    try:
        tensors = json.loads(header)
        ends = [t["data_offsets"][1] for key, t in tensors.items() if key != "__metadata__"]
        return 8 + length + int(max(ends, default=0))
    except (AttributeError, KeyError, IndexError, TypeError, ValueError, RecursionError):
        return 0


def _is_torchscript(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        # torch.jit.save writes the constants of its code beside the tensors; torch.save does not.
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _is_of_another_family(model: nn.Module, path: Path) -> bool:
    """Whether a readable checkpoint shares hardly any name with the model."""
    if path.suffix in (".npz", ".npy"):
        return False
    try:
        given = set(load_state_dict(str(path), weights_only=True))
    except Exception:  # not readable: that is the cause, and not the family
        return False
    # Older files have the names of the text tower without “text.”.
    wanted = {key.removeprefix("text.") for key in model.state_dict()}
    shared = {key.removeprefix("text.") for key in given} & wanted
    return len(shared) < 0.1 * min(len(given), len(wanted))


def _check_values(path: Path, model: nn.Module) -> None:
    """Raise a UserError for weights that are not finite, or that half precision cannot hold."""
    for key, values in model.state_dict().items():
        if not values.is_floating_point():
            continue
        if not bool(torch.isfinite(values).all()):
            raise UserError(
                f"Checkpoint “{path}”: its weights “{key}” hold NaN or infinite values, as after a "
                "training that diverged or a conversion that overflowed; give another checkpoint."
            )
    for key, parameter in model.named_parameters():
        if (largest := _largest(parameter)) > FLOAT16_MAX:
            raise UserError(
                f"Checkpoint “{path}”: its weights “{key}” reach {largest:.3g}, which overflows "
                f"float16 (at most {FLOAT16_MAX:.0f}); give another checkpoint."
            )


def _largest(values: Tensor) -> float:
    return float(values.detach().abs().max()) if values.numel() else 0.0


def brief(error: Exception) -> str:
    """The first line of an exception, shortened for use in a sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [
        type(error).__name__
    ]
    # The second line of torch's mismatch message has the name of the first key.
    text = lines[0] if len(lines) == 1 or len(lines[0]) > 90 else f"{lines[0]} {lines[1]}"
    return text if len(text) <= 180 else text[:177] + "…"
