"""A fingerprint of a model's weights, cheap enough to compute at every load."""

import hashlib

from torch import nn

SAMPLES = 1024  # values per tensor: 0.1 s for ViT-B/16, where all values would take 1 s


def weights_fingerprint(model: nn.Module) -> str:
    """sha256 (hex) over name, shape and evenly spaced float32 values of every weight and buffer.

    Training or another seed changes practically every value, so a sample is enough to detect it.
    It does not protect against deliberate collisions.
    """
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        flat = value.detach().flatten()
        sample = flat[:: max(1, flat.numel() // SAMPLES)][:SAMPLES]
        digest.update(f"{name} {tuple(value.shape)}\n".encode())
        digest.update(sample.float().cpu().numpy().tobytes())
    return digest.hexdigest()
