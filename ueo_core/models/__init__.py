"""CLIP and the part of it that adapts: backbones, context vectors, normalization affine parameters."""
