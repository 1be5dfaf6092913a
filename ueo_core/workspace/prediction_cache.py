"""Files with a model's predictions for new images, in a folder beside its adapter.

<run or adapter>/used/<image set>-<adapter>.safetensors: the cosines; metadata: the image set
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ueo_core.utils.files import TEMPORARY, unique_name

FOLDER = "used"
COSINES = "cosines"
_KEYS = {"title", "reference", "created", "skipped", "delta"}


def path(folder: Path, id: str) -> Path:
    """The file of that id. folder: of the run or the adapter."""
    return folder / FOLDER / f"{id}.safetensors"


def write(folder: Path, id: str, cosines: NDArray[np.float32], about: dict) -> None:
    """Store cosines (N, C) and what they belong to; written beside and renamed."""
    target = path(folder, id)
    target.parent.mkdir(exist_ok=True)
    beside = target.with_name(f"{target.name}.{unique_name()}{TEMPORARY}")
    save_file({COSINES: cosines}, beside, {k: json.dumps(v) for k, v in about.items()})
    os.replace(beside, target)


def read_all(folder: Path) -> Iterator[tuple[str, dict]]:
    """(id, about) of every readable file; a damaged one is skipped."""
    for file in (folder / FOLDER).glob("*.safetensors"):
        try:
            with safe_open(file, "numpy") as opened:
                about = {k: json.loads(v) for k, v in opened.metadata().items()}
        except (OSError, SafetensorError, ValueError, AttributeError):
            continue
        if about.keys() >= _KEYS:
            yield file.stem, about


def sets_in_use(home: Path) -> set[str]:
    """The image sets that stored predictions in the studio's home refer to."""
    folders = {f.parent for kind in ("runs", "deltas") for f in (home / kind).glob(f"*/{FOLDER}")}
    return {about["reference"]["set"] for folder in folders for _, about in read_all(folder)}
