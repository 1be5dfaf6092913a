"""Arrays in safetensors files whose values are checked: the format itself notices no changed bit."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ueo_core.utils.files import write_bytes

DIGESTS = "digests"  # key in the metadata; files of earlier versions have none


def write_tensors(
    path: Path, arrays: Mapping[str, NDArray], about: Mapping[str, str] | None = None
) -> None:
    """Write arrays and texts about them, completely or not at all."""
    whole = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
    digests = json.dumps({name: _digest(a) for name, a in whole.items()})
    write_bytes(path, save(whole, {**(about or {}), DIGESTS: digests}))


def read_tensors(
    path: Path, wanted: Callable[[str], bool] = lambda name: True
) -> tuple[dict[str, NDArray], dict[str, str]]:
    """The wanted arrays by name, and the texts about them.

    Raises `OSError` if the file cannot be read, and `ValueError` if it is damaged.
    """
    try:
        with safe_open(path, "numpy") as file:
            about = dict(file.metadata() or {})
            names = [name for name in file.keys() if wanted(name)]  # noqa: SIM118 (no dict)
            arrays = {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    digests = json.loads(about.pop(DIGESTS, "{}"))
    if not isinstance(digests, dict):
        raise ValueError("its digests cannot be read")
    for name, array in arrays.items():
        if digests.get(name, found := _digest(array)) != found:
            raise ValueError(f"the values of {name} have changed")
    return arrays, about


def _digest(array: NDArray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()
