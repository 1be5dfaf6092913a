"""Labels of an image set, stored separately from it and only for scoring."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ueo_core.data.image_set import ImageSet
from ueo_core.data.label_studio import is_label_studio, label_rows
from ueo_core.data.safe_names import printable
from ueo_core.utils.csv_text import exact
from ueo_core.utils.errors import UserError

_CSV_BYTES = 64 * 10**6
# ImageNet writes n02084071-dog, Caltech-256 writes 056.dog.
_NUMBERING = re.compile(r"^(?:n\d{8}|\d{1,4})[ ._-]+(?=\D)")
_IRREGULAR = {
    "people": "person",
    "men": "man",
    "women": "woman",
    "children": "child",
    "mice": "mouse",
    "geese": "goose",
    "feet": "foot",
    "teeth": "tooth",
    "oxen": "ox",
    "dice": "die",
}
# Makes a plural without its s equal to the singular: puppie -> puppy; buse -> bus.
_STEMS = {
    "ie": "y",
    "ve": "f",
    "fe": "f",
    "se": "s",
    "xe": "x",
    "ze": "z",
    "che": "ch",
    "she": "sh",
    "oe": "o",
}


def folder_of(name: str) -> str | None:
    """The name of an image's folder, from its relative name; None at the top level."""
    folder = name.rpartition("/")[0]
    return folder.rpartition("/")[2] or None


def folder_labels(image_set: ImageSet) -> list[str | None]:
    """The name of each image's folder; None for images at the top level. Only for scoring."""
    return [folder_of(name) for name in image_set.names]


@dataclass(frozen=True)
class TableLabels:
    """The labels of an image set from a table, and how much of both was used."""

    labels: list[str | None]  # one per image; None: no row gives it one
    rows: int  # of the table, each about one file
    used: int  # rows that give an image its label
    unmatched: tuple[str, ...]  # paths of rows about no image of the set
    conflicts: int  # images with an exact copy that has another label; the first one counts

    @property
    def unlabeled(self) -> int:
        """How many images have no label."""
        return self.labels.count(None)

    @property
    def complete(self) -> bool:
        """Whether every row was used and every image has a label."""
        return self.used == self.rows and not self.unlabeled and not self.conflicts

    @property
    def sentence(self) -> str:
        """Rows used and images without a label, for people."""
        text = (
            f"Labels file: {self.used:,} of {self.rows:,} rows used; {self.unlabeled:,} of "
            f"{len(self.labels):,} images have no label."
        )
        if self.unmatched:
            text += (
                f" {len(self.unmatched):,} rows are about no image of this set, for example "
                f"{printable(self.unmatched[0])!r}."
            )
        if self.conflicts:
            text += f" {self.conflicts:,} images have an exact copy with another label; the first counts."
        return text


def table_labels(image_set: ImageSet, path: Path) -> TableLabels:
    """Labels from a CSV file with the columns `path` (relative to the source) and `label`, or from
    what Label Studio exports.

    A path may be that of any copy of an image. Raises `UserError` for a file that is not such a
    table, a path with two labels, or a table without any image of the set.
    """
    shown = printable(str(path))
    labels: dict[str, str] = {}
    for place, name, label in _rows(Path(path), shown):
        if labels.setdefault(name, label) != label:
            raise UserError(
                f"Labels file {shown}: {place} gives {printable(name)} a second label; keep "
                "one row per image."
            )
    found: list[str | None] = []
    matched: dict[str, str] = {}
    conflicts = 0
    for i in range(len(image_set)):
        original = image_set.original(i)
        keys = (_key(name) for name in (original.name, *original.aliases))
        own = {key: labels[key] for key in keys if key in labels}
        names = [name for name in own.values() if name]
        conflicts += len(set(names)) > 1
        found.append(names[0] if names else None)
        matched |= own
    if not any(found):
        example = printable(next(iter(labels), ""))
        raise UserError(
            f"Labels file {shown}: no row is about an image of this set (its first path is "
            f"{example!r}, the set's is {image_set.names[0]!r}); write paths relative to the source."
        )
    unmatched = tuple(name for name in labels if name not in matched)
    used = sum(map(bool, matched.values()))
    return TableLabels(found, len(labels), used, unmatched, conflicts)


def _rows(path: Path, shown: str) -> Iterator[tuple[str, str, str]]:
    """Where in the file, path and label of each row."""
    try:
        if path.stat().st_size > _CSV_BYTES:
            raise UserError(
                f"Labels file {shown}: it is larger than {_CSV_BYTES:,} bytes; give a smaller table."
            )
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(
            f"Labels file {shown}: it cannot be read ({error.strerror}); check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"Labels file {shown}: it is not UTF-8 text; save it as CSV in UTF-8."
        ) from error
    if is_label_studio(text):
        for place, name, label in label_rows(text, shown):
            yield place, _key(name), label.strip()
        return
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)  # Excel writes ';' in many countries
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [cell.strip().casefold() for cell in next(reader, [])]
        if header.count("path") != 1 or header.count("label") != 1:
            raise UserError(
                f"Labels file {shown}: its first line must have the columns path and label, each "
                "once; add them."
            )
        at_path, at_label = header.index("path"), header.index("label")
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) <= max(at_path, at_label):
                raise UserError(
                    f"Labels file {shown}: line {reader.line_num} has {len(row)} columns instead of "
                    f"{len(header)}; complete or remove it."
                )
            # Of a table that the studio wrote, names are those before they were made safe cells.
            path_cell, label = (exact(row[at].strip()) for at in (at_path, at_label))
            yield f"line {reader.line_num}", _key(path_cell), label
    except csv.Error as error:
        raise UserError(
            f"Labels file {shown}: line {reader.line_num} is not CSV ({error}); correct it."
        ) from error


def _key(name: str) -> str:
    name = unicodedata.normalize("NFC", name.replace("\\", "/"))
    return name.removeprefix("./")


@dataclass(frozen=True)
class FolderMap:
    """Which class each folder name belongs to. Suggestions have no effect until accepted."""

    exact: dict[str, str]  # folder -> class of the same name
    suggestions: dict[str, str]  # folder -> class with a similar name
    unmatched: list[str]  # folders without a similar class: out-of-distribution

    def resolve(self, accepted: Iterable[str] = ()) -> dict[str, str | None]:
        """Folder -> class, None for out-of-distribution.

        accepted: folders whose suggestion a person has confirmed.
        """
        confirmed = set(accepted)
        suggested = {f: c if f in confirmed else None for f, c in self.suggestions.items()}
        return {**self.exact, **suggested, **dict.fromkeys(self.unmatched)}


def map_folders(folders: Iterable[str], classes: list[str]) -> FolderMap:
    """Match folder names to class names.

    Equal names match. Names that differ only in case, in `_` or `-` for a space, in number
    (singular, plural) or in a leading number give a suggestion; nothing is merged silently.
    """
    exact, suggestions, unmatched = {}, {}, []
    same = {unicodedata.normalize("NFC", name): name for name in classes}
    levels = [{form(name): name for name in reversed(classes)} for form in (_loose, _singular)]
    for folder in sorted(set(folders)):
        if (name := same.get(unicodedata.normalize("NFC", folder))) is not None:
            exact[folder] = name
            continue
        for level, form in zip(levels, (_loose, _singular), strict=True):
            if (name := level.get(form(folder))) is not None:
                suggestions[folder] = name
                break
        else:
            unmatched.append(folder)
    return FolderMap(exact, suggestions, unmatched)


def as_classes(
    labels: Iterable[str | None], classes: list[str], accepted: Iterable[str] = ()
) -> list[str | None]:
    """Labels as class names where they are equal to one or their suggestion is `accepted`.

    Other names, which are out-of-distribution, and None remain unchanged.
    """
    labels = list(labels)
    resolved = map_folders({name for name in labels if name}, classes).resolve(accepted)
    return [(resolved[name] or name) if name else None for name in labels]


def _loose(name: str) -> str:
    name = _NUMBERING.sub("", unicodedata.normalize("NFKC", name).strip().casefold())
    return " ".join(re.sub(r"[_\-\s]+", " ", name).split())


def _singular(name: str) -> str:
    """A form that a singular and its plural have in common; not always a word."""
    before, _, word = _loose(name).rpartition(" ")
    if word in _IRREGULAR:
        word = _IRREGULAR[word]
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending, stem in _STEMS.items():
        if len(word) > 3 and word.endswith(ending):
            word = word.removesuffix(ending) + stem
            break
    return f"{before} {word}".strip()
