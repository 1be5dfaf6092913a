"""Quick mode: what of an image tower lies behind its last frozen point, and what comes before.

A tower is cut so that what lies behind costs next to nothing: CLIP's ViT after the last block's
attention, of the class token alone; its ResNet before the last batch norm. What comes before
(`head`) is computed once for every image, without augmentation, and kept; `tail` is what trains.
tail(head(images)) is the tower itself (tests/test_tails.py), so a delta that was trained in
quick mode works in the whole model.
"""

import contextlib

import torch
import torch.nn.functional as F
from open_clip.modified_resnet import ModifiedResNet
from torch import Tensor, nn

from ueo_core.models.fast_towers import reads_class_token_only


class Tail:
    """A tower that is frozen to its end: only the prompt can train. Also the base of the others."""

    about = "the prompt"

    def __init__(self, visual: nn.Module):
        self.visual = visual
        self.norms: list[nn.Module] = []  # that train

    @torch.no_grad()
    def head(self, images: Tensor) -> Tensor:
        """Activations at the last frozen point, one row an image."""
        return self.visual(images)

    def __call__(self, kept: Tensor) -> Tensor:
        """Features of activations, not normalised. → (B, D)"""
        return kept


class ClassTokenTail(Tail):
    """Behind the attention of a ViT's last block: its MLP and the last norm."""

    about = "the prompt and the last two norms"

    def __init__(self, visual: nn.Module):
        super().__init__(visual)
        self.block = visual.transformer.resblocks[-1]
        self.norms = [self.block.ln_2, visual.ln_post]

    @torch.no_grad()
    def head(self, images: Tensor) -> Tensor:
        """→ (B, 1, W), the class token after attention"""
        with _inputs_of(self.block.ln_2) as seen:
            self.visual(images)
        return seen[0][:, :1]  # the plain block computes all tokens

    def __call__(self, kept: Tensor) -> Tensor:
        x = kept + self.block.ls_2(self.block.mlp(self.block.ln_2(kept)))
        x = self.visual.ln_post(x)[:, 0]
        return x if self.visual.proj is None else x @ self.visual.proj


class BatchNormTail(Tail):
    """Behind the last convolution of a ResNet: its batch norm, the shortcut and the pool."""

    about = "the prompt and the last norm"

    def __init__(self, visual: ModifiedResNet):
        super().__init__(visual)
        self.block = visual.layer4[-1]
        self.norms = [self.block.bn3]

    @torch.no_grad()
    def head(self, images: Tensor) -> Tensor:
        """→ (B, 2, E, H, W), what the batch norm is given and the shortcut beside it"""
        with _inputs_of(self.block.bn3) as seen, _inputs_of(self.block) as entered:
            self.visual(images)
        shortcut = entered[0]
        if self.block.downsample is not None:
            shortcut = self.block.downsample(shortcut)
        return torch.stack([seen[0], shortcut], 1)

    def __call__(self, kept: Tensor) -> Tensor:
        x = F.relu(self.block.bn3(kept[:, 0]) + kept[:, 1])
        return self.visual.attnpool(x)


def tail_of(visual: nn.Module) -> Tail:
    """The cheapest cut that leaves norms to train; a tower of another kind is frozen to its end."""
    if reads_class_token_only(visual):
        return ClassTokenTail(visual)
    if isinstance(visual, ModifiedResNet):
        return BatchNormTail(visual)
    return Tail(visual)


@contextlib.contextmanager
def _inputs_of(module: nn.Module):
    """Collects what a module is given while the context is open."""
    seen: list[Tensor] = []
    handle = module.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    try:
        yield seen
    finally:
        handle.remove()
