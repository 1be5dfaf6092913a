"""The category shifts of the paper, made from a labeled folder: which images are pool, which test.

Labels are read here, because a protocol measures with them; what training gets of a `Case` is
the pool's pixels and the class names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ueo_core.data.image_set import ImageSet
from ueo_core.data.labels import folder_labels, map_folders
from ueo_core.data.subset import Subset
from ueo_core.evaluation.metrics import OOD, truth_from_labels
from ueo_core.protocol.benchmarks import (
    CATEGORY_SHIFTS,
    FOUR,
    PROPORTIONS,
    Protocol,
    in_order,
    recognized,
)
from ueo_core.utils.errors import UserError


@dataclass(frozen=True)
class Part:
    """Some images of a set, with what they truly are; `subset` is all that training sees."""

    images: ImageSet
    indices: NDArray[np.int64]  # places in the set
    truth: NDArray[np.int64]  # class index, OOD or UNLABELED of each

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def subset(self) -> Subset:
        """The images without their truth."""
        return Subset(self.images, self.indices)

    @property
    def ood(self) -> int:
        """How many of them belong to none of the classes."""
        return int((self.truth == OOD).sum())


@dataclass(frozen=True)
class Case:
    """One category shift with its images, to compare methods on."""

    shift: str
    seed: int
    classes: tuple[str, ...]
    pool: Part
    test: Part


@dataclass(frozen=True)
class LabeledFolder:
    """A labeled source: its images, one label per image, and its split into pool and test."""

    images: ImageSet
    labels: tuple[str | None, ...]  # folder names; None at the top
    classes: tuple[str, ...]  # named classes; empty: the paper's share of the folders
    protocol: Protocol | None  # the paper's data set that it is
    lists: (
        tuple[frozenset[int], frozenset[int]] | None
    )  # images of the official train and test lists
    test_share: float  # of every class, kept out of the pool; 0: pool and test share images
    pool_classes: tuple[str, ...] = ()  # a pool by name, in place of the paper's proportions

    @property
    def folders(self) -> list[str]:
        return in_order(label for label in self.labels if label)

    def known_and_unknown(self, shift: str) -> tuple[list[str], list[str]]:
        """The folders among the classes and the others, each in the paper's order."""
        folders = self.folders
        if shift == "plain":
            return folders, []
        if self.classes:
            mapped = map_folders(folders, list(self.classes)).exact
            known = [f for f in folders if f in mapped]
        else:
            share = self.protocol or PROPORTIONS
            known = folders[: _part(len(folders), share.known, share.classes)]
        return known, [f for f in folders if f not in known]

    def names(self, shift: str) -> tuple[str, ...]:
        """The class names that a method is given."""
        if self.classes and shift != "plain":
            return self.classes
        return tuple(self.known_and_unknown(shift)[0])

    def in_pool(self, shift: str) -> list[str]:
        """The folders that the pool is made of."""
        if self.pool_classes:
            return [f for f in self.folders if f in self.pool_classes]
        known, unknown = self.known_and_unknown(shift)
        share = self.protocol or PROPORTIONS
        if "partial" in shift:
            kept = share.shared if "open" in shift else share.partial
            known = known[: _part(len(known), kept, share.known)]
        if "open" not in shift:
            return known
        return known + unknown[: _part(len(unknown), share.ood, share.classes - share.known)]

    def case(self, shift: str, seed: int) -> Case:
        """Pool and test set of a shift. The seed draws which images are kept for the test.

        The test set holds all folders, whatever the shift. UserError where the folder has no
        such shift, or too few images for it.
        """
        names = self.names(shift)
        mapped = map_folders(self.folders, list(names)).exact
        truth = truth_from_labels([mapped.get(n, n) if n else None for n in self.labels], names)
        labels = np.array([label or "" for label in self.labels])
        pool, test = self._halves(labels, seed)
        pool &= np.isin(labels, self.in_pool(shift))
        found = [
            Part(self.images, np.flatnonzero(chosen), truth[chosen]) for chosen in (pool, test)
        ]
        if len(found[0]) < 2:
            raise UserError(
                f"Shift “{shift}”: its pool has {len(found[0])} images; adaptation needs at least "
                "two, so add images or keep fewer for the test."
            )
        return Case(shift, seed, names, *found)

    def _halves(self, labels: NDArray, seed: int) -> tuple[NDArray, NDArray]:
        """Which images may be in the pool, and which are tested on. → (N,) bool, twice"""
        labeled = labels != ""
        if self.lists:
            pool, test = (np.isin(np.arange(len(labels)), list(part)) for part in self.lists)
            return pool, test
        test = labeled.copy()
        if self.test_share:
            test[:] = False
            g = np.random.default_rng([seed, 11])
            for folder in self.folders:
                mine = g.permutation(np.flatnonzero(labels == folder))
                # At least one is for the test; a class of a single image is in no pool.
                test[mine[: max(1, round(self.test_share * len(mine)))]] = True
            return labeled & ~test, test
        return labeled, test

    def notes(self, shifts: Sequence[str]) -> list[str]:
        """What a person should know of this folder before reading its table."""
        found = []
        if self.protocol:
            found.append(f"Recognized as {self.protocol.title}: the paper's classes.")
        counts = {f: self.labels.count(f) for f in self.folders}
        single = [f for f, n in counts.items() if n == 1]
        if single and self.test_share and not self.lists:
            found.append(f"{_listed(single)}: one image only, which is tested on and in no pool.")
        if None in self.labels:
            found.append(
                f"{self.labels.count(None)} images are in no subfolder; they have no label and are left out."
            )
        for shift in shifts:
            missing = [
                n for n in self.names(shift) if n not in map_folders(self.folders, [n]).exact
            ]
            if missing:
                found.append(
                    f"{_listed(missing)}: a class without a folder; its recall is not counted."
                )
                break
        return found


def labeled_folder(
    images: ImageSet,
    source: Path,
    classes: Sequence[str] = (),
    test_share: float = 0.5,
    pool_classes: Sequence[str] = (),
    labels: Sequence[str | None] | None = None,
) -> LabeledFolder:
    """Labels from the subfolders of a source. UserError where nothing can be measured with them.

    classes: the named ones; without any, the paper's share of the folders. labels: one per image, in
    place of the folders. Folders laid out as one of
    the paper's data sets are split as the paper does: pool and test share a domain's images, or
    follow NAME_train.txt and NAME_test.txt in or beside the folder.
    """
    labels = tuple(folder_labels(images) if labels is None else labels)
    folders = in_order(label for label in labels if label)
    if len(folders) < 2:
        raise UserError(
            f"Source “{source}”: a protocol needs labeled images, one subfolder per class and at least "
            f"two of them, and it has {len(folders)}; sort the images, or use adapt."
        )
    if not 0 <= test_share < 1:
        raise UserError(f"The test share {test_share:g} is out of range; choose from 0 to 0.9.")
    if classes:
        mapped = map_folders(folders, list(classes))
        if not mapped.exact:
            near = [f"{f!r} looks like {c!r}" for f, c in mapped.suggestions.items()]
            raise UserError(
                f"Source “{source}”: none of its folders ({_listed(folders)}) is among the classes, so "
                f"nothing can be measured{'; ' + ', '.join(near[:3]) if near else ''}; rename them or "
                "name other classes."
            )
    unknown = [name for name in pool_classes if name not in folders]
    if unknown:
        raise UserError(
            f"Pool classes: {_listed(unknown)}: no such folder; choose among {_listed(folders)}."
        )
    protocol = None if classes else recognized(folders)
    lists = _official_lists(images, source)
    share = 0.0 if protocol else test_share
    return LabeledFolder(
        images, labels, tuple(classes), protocol, lists, share, tuple(pool_classes)
    )


def possible_shifts(folder: LabeledFolder, asked: str) -> tuple[list[str], list[str]]:
    """The shifts to run for `all` or a name, and why others are not. → shifts, sentences

    UserError for a single shift that the folder cannot have.
    """
    if asked != "all" and asked not in CATEGORY_SHIFTS:
        raise UserError(
            f"Shift “{asked}”: not known; choose all or one of {', '.join(CATEGORY_SHIFTS)}."
        )
    wanted = list(FOUR) if asked == "all" else [asked]
    why = "no folder is outside the classes, so there are no unknown images"
    unknown = folder.known_and_unknown("open")[1]
    impossible = [s for s in wanted if "open" in s and not unknown]
    if asked != "all" and impossible:
        raise UserError(f"Shift “{asked}”: {why}; name fewer classes or choose another shift.")
    left_out = [f"Left out {' and '.join(impossible)}: {why}."] if impossible else []
    return [s for s in wanted if s not in impossible], left_out


def _part(n: int, part: int, whole: int) -> int:
    """The same share of n as part is of whole, at least one where there is one."""
    return min(n, max(1, round(n * part / whole)))


def _listed(names: Sequence[str], most: int = 6) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _official_lists(images: ImageSet, source: Path) -> tuple[frozenset[int], frozenset[int]] | None:
    """Images that NAME_train.txt and NAME_test.txt name, NAME being the source's; None without.

    A line is "path label", the path relative to the folder of NAME.
    """
    source = Path(source).resolve()
    place: dict[str, int] = {}
    for i in range(len(images)):
        original = images.original(i)
        place |= dict.fromkeys((original.name, *original.aliases), i)
    for folder in (source, source.parent):
        files = [folder / f"{source.name}_{part}.txt" for part in ("train", "test")]
        if not all(file.is_file() for file in files):
            continue
        found = []
        for file in files:
            lines = file.read_text(encoding="utf-8").splitlines()
            paths = (line.rpartition(" ")[0].removeprefix(f"{source.name}/") for line in lines)
            found.append(frozenset(place[path] for path in paths if path in place))
            if not found[-1]:
                raise UserError(
                    f"List “{file}”: none of its lines names an image of {source}; its lines should "
                    f"read {source.name}/CLASS/FILE LABEL, or move the list away."
                )
        return found[0], found[1]
    return None
