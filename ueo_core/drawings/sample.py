"""The built-in problem: an unlabeled pool and a labeled test set of drawn images."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ueo_core.drawings.nouns import NOUNS
from ueo_core.drawings.render import check_domain, check_noun, render
from ueo_core.utils.errors import UserError

SHOWCASE_DOMAIN = "night"
SIZE = 160  # pixels a side
CLASSES, OOD_CLASSES = 16, 8  # class names that the user cares about; further nouns, OOD
PER_POOL_CLASS, PER_TEST_CLASS = 16, 12


@dataclass(frozen=True)
class Shift:
    """Which classes the pool holds: how many of the known ones, how many of the unknown."""

    known: int
    ood: int
    about: str


# The paper's four relations of pool and class list, at about the proportions of its data sets:
# Office-31's partial pools hold 15 of 25 classes.
SHIFTS = {
    "closed": Shift(16, 0, "exactly the named classes"),
    "partial": Shift(10, 0, "only some of the named classes"),
    "open": Shift(16, 8, "all of them, and unknown ones"),
    "open-partial": Shift(10, 8, "some of them, and unknown ones"),
}
DEFAULT_SHIFT = "open-partial"


@dataclass(frozen=True)
class Problem:
    """One built-in problem, drawn on demand; everything follows from shift, seed and domain."""

    shift: str
    seed: int
    domain: str
    classes: tuple[str, ...]
    pool: tuple[str, ...]  # noun of each pool image, in pool order; never shown to training
    test: tuple[str, ...]  # noun of each test image

    def image(self, part: str, index: int, size: int = SIZE) -> bytes:
        """PNG of image `index` of `pool` or `test`."""
        noun = (self.pool if part == "pool" else self.test)[index]
        g = np.random.default_rng([self.seed, part == "pool", index])
        buffer = io.BytesIO()
        render(noun, self.domain, g, size)[0].save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()

    def names(self) -> Iterator[tuple[str, str, int]]:
        """All images as (part, relative name, index): a flat, shuffled pool and test/<class>/."""
        for i in range(len(self.pool)):
            yield "pool", f"{i:04d}.png", i
        for i, noun in enumerate(self.test):
            yield "test", f"{noun}/{i:04d}.png", i

    def files(self) -> Iterator[tuple[str, str, bytes]]:
        """The images of `names`, drawn one after the other: (part, relative name, PNG)."""
        for part, name, i in self.names():
            yield part, name, self.image(part, i)

    def __len__(self) -> int:
        return len(self.pool) + len(self.test)


def problem(shift: str = DEFAULT_SHIFT, seed: int = 0, domain: str = SHOWCASE_DOMAIN) -> Problem:
    """The built-in problem of a shift and seed. UserError for an unknown shift or domain.

    The seed draws which nouns are classes and which are unknown. The test set holds all
    of both, and its unknown nouns never change with the shift.
    """
    if shift not in SHIFTS:
        raise UserError(f"Shift “{shift}”: not known; choose one of {', '.join(SHIFTS)}.")
    check_domain(domain)
    g = np.random.default_rng([seed, 7])
    nouns = [str(n) for n in g.permutation(list(NOUNS))]
    classes = sorted(nouns[:CLASSES])
    ood = sorted(nouns[CLASSES : CLASSES + OOD_CLASSES])
    kind = SHIFTS[shift]
    in_pool = classes[: kind.known] + ood[: kind.ood]
    pool = [str(n) for n in g.permutation(np.repeat(in_pool, PER_POOL_CLASS))]
    test = [n for n in sorted(classes + ood) for _ in range(PER_TEST_CLASS)]
    return Problem(shift, seed, domain, tuple(classes), tuple(pool), tuple(test))


def write_sample(
    out: Path, chosen: Problem, progress: Callable[[int, int], None] | None = None
) -> dict[str, int]:
    """Write OUT/pool/*.png, OUT/test/<class>/*.png, OUT/classes.txt and OUT/pool_labels.csv.

    pool_labels.csv (path,label) is for scoring only. → {"pool": n, "test": n}
    """
    _make_empty(out)
    for done, (part, name, png) in enumerate(chosen.files(), start=1):
        path = out / part / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png)
        if progress:
            progress(done, len(chosen))
    (out / "classes.txt").write_text("\n".join(chosen.classes) + "\n", encoding="utf-8")
    with open(out / "pool_labels.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "label"])
        table.writerows((f"{i:04d}.png", noun) for i, noun in enumerate(chosen.pool))
    return {"pool": len(chosen.pool), "test": len(chosen.test)}


def write_drawings(
    out: Path,
    domain: str,
    per_class: int,
    seed: int,
    classes: list[str] | None = None,
    size: int = SIZE,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write OUT/<noun>/*.png, `per_class` of each. UserError for what cannot be drawn. → count"""
    check_domain(domain)
    nouns = [check_noun(n) for n in classes] if classes else list(NOUNS)
    if not 1 <= per_class <= 100_000 or not 16 <= size <= 2048:
        raise UserError(
            f"{per_class} images per class of {size} px: out of range; take 1 to 100000 images of 16 to 2048 px."
        )
    _make_empty(out)
    order = list(NOUNS)
    done = 0
    for noun in nouns:
        (out / noun).mkdir(parents=True)
        for i in range(per_class):
            # The noun's own number, so that an image does not depend on which others are drawn.
            g = np.random.default_rng([seed, order.index(noun), i])
            render(noun, domain, g, size)[0].save(out / noun / f"{i:04d}.png")
            done += 1
            if progress:
                progress(done, len(nouns) * per_class)
    return done


def _make_empty(out: Path) -> None:
    """Refuse a folder that is not empty: old and new images would mix."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        filled = any(out.iterdir())
    except OSError as error:
        raise UserError(
            f"Folder “{out}”: it cannot be written ({error.strerror}); choose another place."
        ) from None
    if filled:
        raise UserError(
            f"Folder “{out}”: it is not empty; choose a new one so that nothing is mixed."
        )
