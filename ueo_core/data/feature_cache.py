"""Zero-shot features of an image set, computed once for all runs, baselines and protocols.

store/features/<set>/<images>-<weights>-<side>-<device>.safetensors   (N, D) and the time to compute it

The name also tells a model's preprocessing, where it is not that of the original CLIP.

Features depend only on the images, the original weights and the preprocessing, not on class names
or settings.
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ueo_core.data.image_set import ImageSet
from ueo_core.models.backbones import Backbone
from ueo_core.models.preprocessing import Preprocessing
from ueo_core.utils.tensor_files import read_tensors, write_tensors

FEATURES = "features"


def zero_shot_features(
    images: ImageSet, backbone: Backbone, encode: Callable[[], Tensor]
) -> tuple[Tensor, float]:
    """Normalized features of all images under the zero-shot model. → (N, D) on the CPU, seconds

    Features are read from the store if they are there; otherwise they are computed by `encode()`
    and stored. seconds: the time that computing them took, now or earlier.
    """
    path = _file(images, backbone)
    with contextlib.suppress(OSError, ValueError, KeyError):
        arrays, about = read_tensors(path)
        stored, seconds = torch.from_numpy(arrays[FEATURES]), float(about["seconds"])
        if len(stored) == len(images):
            return stored, seconds
    began = time.perf_counter()
    found = encode()
    seconds = time.perf_counter() - began
    with contextlib.suppress(OSError):  # a full disk must not stop the run
        write_tensors(path, {FEATURES: found.numpy()}, {"seconds": f"{seconds:.3f}"})
    return found, seconds


def _file(images: ImageSet, backbone: Backbone) -> Path:
    parts = (
        images.fingerprint[:16],
        backbone.fingerprint[:16],
        str(images.short_side),
        backbone.device.type,
        *_preprocessing(backbone.preprocessing),
        # Earlier versions placed reduced images by their reduced size: those are other features.
        *(("natural",) if _reduced(images) else ()),
    )
    return images.features / f"{'-'.join(parts)}.safetensors"


def _reduced(images: ImageSet) -> bool:
    return any(min(images.size(i)) > images.short_side for i in range(len(images)))


def _preprocessing(own: Preprocessing) -> tuple[str, ...]:
    """A model's preprocessing, for a file's name; empty for that of the original CLIP."""
    if own.is_clips:
        return ()
    height, width = own.size
    described = hashlib.sha256(json.dumps(own.to_json()).encode()).hexdigest()
    return f"{height}x{width}", own.resize_mode, own.filter, described[:8]
