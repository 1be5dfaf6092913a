"""Quick mode: the image tower split into a frozen part and a short trainable tail.

A tower is split so that the tail costs next to nothing: CLIP's ViT after the attention of its last
block, for the class token alone; its ResNet before the last batch norm. Any other tower, and one
whose own features the split does not give, is frozen as a whole. The frozen part (`head`) is
computed once for every image, without augmentation; the tail is what trains. tail(head(images)) is
the tower itself, so an adapter trained in quick mode works in the whole model.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.modified_resnet import ModifiedResNet
from torch import Tensor, nn

from ueo_core.models.equality import equal_features, random_image
from ueo_core.models.fast_towers import reads_class_token_only


class Tail:
    """A tower that is frozen as a whole: only the prompt can train. Base class of the others."""

    def __init__(self, visual: Any):
        self.visual = visual
        self.norms: list[nn.Module] = []  # layers whose affine parameters can train

    @torch.no_grad()
    def head(self, images: Tensor) -> Tensor:
        """Activations at the last frozen point, one row per image."""
        return self.visual(images)

    def __call__(self, activations: Tensor) -> Tensor:
        """Features of activations, not normalized. → (B, D)"""
        return activations


class ClassTokenTail(Tail):
    """After the attention of a ViT's last block: its MLP and the final layer norm."""

    def __init__(self, visual: Any):
        super().__init__(visual)
        self.block = visual.transformer.resblocks[-1]
        self.norms = [self.block.ln_2, visual.ln_post]

    @torch.no_grad()
    def head(self, images: Tensor) -> Tensor:
        """→ (B, 1, W), the class token after attention"""
        with _inputs_of(self.block.ln_2) as inputs:
            self.visual(images)
        return inputs[0][:, :1]  # the plain block computes all tokens

    def __call__(self, activations: Tensor) -> Tensor:
        x = activations + self.block.ls_2(self.block.mlp(self.block.ln_2(activations)))
        x = self.visual.ln_post(x)[:, 0]
        return x if self.visual.proj is None else x @ self.visual.proj


class BatchNormTail(Tail):
    """After the last convolution of a ResNet: its batch norm, the shortcut and the pool."""

    def __init__(self, visual: Any):
        super().__init__(visual)
        self.block = visual.layer4[-1]
        self.norms = [self.block.bn3]

    @torch.no_grad()
    def head(self, images: Tensor) -> Tensor:
        """→ (B, 2, E, H, W), the input of the batch norm and the shortcut"""
        with _inputs_of(self.block.bn3) as before_norm, _inputs_of(self.block) as before_block:
            self.visual(images)
        shortcut = before_block[0]
        if self.block.downsample is not None:
            shortcut = self.block.downsample(shortcut)
        return torch.stack([before_norm[0], shortcut], 1)

    def __call__(self, activations: Tensor) -> Tensor:
        x = F.relu(self.block.bn3(activations[:, 0]) + activations[:, 1])
        return self.visual.attnpool(x)


def tail_of(visual: nn.Module) -> Tail:
    """The shortest tail with normalization layers to train; other towers are frozen as a whole."""
    if reads_class_token_only(visual):
        tail: Tail = ClassTokenTail(visual)
    elif isinstance(visual, ModifiedResNet):
        tail = BatchNormTail(visual)
    else:
        return Tail(visual)
    image = random_image(visual)
    with torch.no_grad():
        exact = equal_features(tail(tail.head(image)), visual(image))
    return tail if exact else Tail(visual)


@contextlib.contextmanager
def _inputs_of(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the inputs of a module while the context is open."""
    inputs: list[Tensor] = []
    handle = module.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    try:
        yield inputs
    finally:
        handle.remove()
