"""Class names for a benchmark: one to three words, as real class names have."""

import itertools

from ueo_core.drawings.nouns import NOUNS
from ueo_core.utils.errors import UserError

COLORS = ("red", "blue", "green", "white", "black", "golden", "gray", "brown", "pink", "purple")
SIZES = ("big", "small", "old", "new", "broken")
MOST = len(NOUNS) * (1 + len(COLORS) * (1 + len(SIZES)))


def class_names(n: int) -> list[str]:
    """n distinct names: nouns first, then “red star”, then “big red star”."""
    if not 2 <= n <= MOST:
        raise UserError(f"{n} classes: out of range; choose a number from 2 to {MOST:,}.")
    one = iter(NOUNS)
    two = (f"{c} {x}" for c in COLORS for x in NOUNS)
    three = (f"{s} {c} {x}" for s in SIZES for c in COLORS for x in NOUNS)
    return list(itertools.islice(itertools.chain(one, two, three), n))
