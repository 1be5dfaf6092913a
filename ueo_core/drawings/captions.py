"""Captions of the drawings, and which image each of them describes."""

import numpy as np

TEMPLATES = ("a photo of a {}.", "a {}", "a drawing of a {}.", "a picture of a {}", "{}", "one {}.")
COLOR_SHARE = 0.4  # of the captions name the color too: "a photo of a red fish."


def caption(noun: str, color: str, g: np.random.Generator) -> tuple[str, str | None]:
    """A caption for one image. → (text, the color it names or None)"""
    named = color if g.random() < COLOR_SHARE else None
    thing = f"{named} {noun}" if named else noun
    return TEMPLATES[g.integers(len(TEMPLATES))].format(thing), named


def positives(nouns, colors, named) -> np.ndarray:
    """Which caption describes which image.

    nouns, colors: (B,) ints of the images; named: (B,) int, the color that
    caption j names, or −1. Caption j belongs to image j's noun. → (B, B) bool,
    [i, j] true when caption j is true of image i: with few objects many captions
    of a batch describe many images, and calling those wrong would teach nonsense.
    """
    nouns, colors, named = (np.asarray(v) for v in (nouns, colors, named))
    same_noun = nouns[:, None] == nouns[None, :]
    color_fits = (named[None, :] < 0) | (named[None, :] == colors[:, None])
    return same_noun & color_fits
