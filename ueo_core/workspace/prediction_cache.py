"""Files with a model's predictions for new images, in a folder beside its adapter.

<run or adapter>/used/<image set>-<adapter>.safetensors: the cosines; metadata: the image set
"""

import json
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ueo_core.runs.stored import REFERENCE
from ueo_core.utils.shapes import NUMBER, check_shape
from ueo_core.utils.tensor_files import read_tensors, write_rows

log = logging.getLogger(__name__)

FOLDER = "used"
COSINES = "cosines"
_ABOUT = {
    "title": str,
    "reference": REFERENCE,
    "created": NUMBER,
    "skipped": int,
    "delta": str,
}


def path(folder: Path, id: str) -> Path:
    """The file of that id. folder: of the run or the adapter."""
    return folder / FOLDER / f"{id}.safetensors"


def write(
    folder: Path,
    id: str,
    shape: tuple[int, int],
    batches: Iterable[NDArray[np.float32]],
    about: dict,
) -> None:
    """Store cosines (N, C), batch by batch as they are computed, and what they belong to.

    Written beside and renamed: nothing is stored where `batches` raises.
    """
    texts = {k: json.dumps(v) for k, v in about.items()}
    write_rows(path(folder, id), COSINES, shape, batches, texts)


def read_all(folder: Path) -> Iterator[tuple[str, dict]]:
    """(id, about) of every readable file; a damaged one is skipped."""
    for file in (folder / FOLDER).glob("*.safetensors"):
        try:
            _, texts = read_tensors(file, lambda name: False)
            about = check_shape({k: json.loads(v) for k, v in texts.items()}, _ABOUT)
        except (OSError, ValueError, RecursionError) as error:
            log.warning("%s cannot be read: %s", file, error)
            continue
        yield file.stem, about


def sets_in_use(home: Path) -> set[str]:
    """The image sets that stored predictions in the studio's home refer to."""
    folders = {f.parent for kind in ("runs", "deltas") for f in (home / kind).glob(f"*/{FOLDER}")}
    return {about["reference"]["set"] for folder in folders for _, about in read_all(folder)}
