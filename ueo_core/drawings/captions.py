"""Captions of the drawings, and which image each of them describes."""

import numpy as np

TEMPLATES = ("a photo of a {}.", "a {}", "a drawing of a {}.", "a picture of a {}", "{}", "one {}.")
COLOUR_SHARE = 0.4  # of the captions name the colour too: "a photo of a red fish."


def caption(noun: str, colour: str, g: np.random.Generator) -> tuple[str, str | None]:
    """A caption for one image. → (text, the colour it names or None)"""
    named = colour if g.random() < COLOUR_SHARE else None
    thing = f"{named} {noun}" if named else noun
    return TEMPLATES[g.integers(len(TEMPLATES))].format(thing), named


def positives(nouns, colours, named) -> np.ndarray:
    """Which caption describes which image.

    nouns, colours: (B,) ints of the images; named: (B,) int, the colour that
    caption j names, or −1. Caption j belongs to image j's noun. → (B, B) bool,
    [i, j] true when caption j is true of image i: in a small world many captions
    of a batch describe many images, and calling those wrong would teach nonsense.
    """
    nouns, colours, named = (np.asarray(v) for v in (nouns, colours, named))
    same_noun = nouns[:, None] == nouns[None, :]
    colour_fits = (named[None, :] < 0) | (named[None, :] == colours[:, None])
    return same_noun & colour_fits
