"""Labels of an image set, apart from it and for scoring only."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ueo_core.data.image_set import ImageSet
from ueo_core.data.safe_names import printable
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
# Singular and plural without its s meet here: puppy, puppie -> puppy; bus, buse -> bus.
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
    """The folder that holds an image, from its relative name; None at the top."""
    folder = name.rpartition("/")[0]
    return folder.rpartition("/")[2] or None


def folder_labels(image_set: ImageSet) -> list[str | None]:
    """The name of each image's folder; None for images at the top. For scoring only."""
    return [folder_of(name) for name in image_set.names]


def csv_labels(image_set: ImageSet, path: Path) -> list[str | None]:
    """Labels from a CSV with the columns `path` (relative to the source) and `label`.

    None for images that it does not name. Rows of skipped files are passed over. Raises
    `UserError` for a file that is no such table, a path with two labels, or no match at all.
    """
    shown = printable(str(path))
    labels: dict[str, str] = {}
    for number, name, label in _rows(Path(path), shown):
        if labels.setdefault(name, label) != label:
            raise UserError(
                f"{shown}: line {number} gives {printable(name)} a second label; keep one row "
                "per image."
            )
    found = []
    for i in range(len(image_set)):
        original = image_set.original(i)
        keys = [_key(name) for name in (original.name, *original.aliases)]
        found.append(next((labels[key] or None for key in keys if key in labels), None))
    if not any(found):
        example = printable(next(iter(labels), ""))
        raise UserError(
            f"{shown}: no row names an image of this set (its first path is {example!r}, the "
            f"set's is {image_set.names[0]!r}); write paths relative to the source."
        )
    return found


def _rows(path: Path, shown: str) -> Iterable[tuple[int, str, str]]:
    try:
        if path.stat().st_size > _CSV_BYTES:
            raise UserError(f"{shown}: larger than {_CSV_BYTES:,} bytes; give a smaller table.")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{shown}: cannot be read ({error.strerror}); check the path.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{shown}: not UTF-8 text; save it as CSV in UTF-8.") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)  # Excel writes ';' in half of Europe
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [cell.strip().casefold() for cell in next(reader, [])]
        if header.count("path") != 1 or header.count("label") != 1:
            raise UserError(
                f"{shown}: its first line must name the columns path and label, each once."
            )
        at_path, at_label = header.index("path"), header.index("label")
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) <= max(at_path, at_label):
                raise UserError(
                    f"{shown}: line {reader.line_num} has {len(row)} columns instead of "
                    f"{len(header)}; complete or remove it."
                )
            yield reader.line_num, _key(row[at_path].strip()), row[at_label].strip()
    except csv.Error as error:
        raise UserError(f"{shown}: line {reader.line_num} is no CSV ({error}).") from error


def _key(name: str) -> str:
    name = unicodedata.normalize("NFC", name.replace("\\", "/"))
    return name.removeprefix("./")


@dataclass(frozen=True)
class FolderMap:
    """How folder names relate to class names. Suggestions count only once accepted."""

    exact: dict[str, str]  # folder -> class of the same name
    suggestions: dict[str, str]  # folder -> class that it resembles
    unmatched: list[str]  # folders that resemble no class: out-of-distribution

    def resolve(self, accepted: Iterable[str] = ()) -> dict[str, str | None]:
        """Folder -> class, None for out-of-distribution. `accepted`: folders whose suggestion
        a person has confirmed."""
        taken = set(accepted)
        suggested = {f: c if f in taken else None for f, c in self.suggestions.items()}
        return {**self.exact, **suggested, **dict.fromkeys(self.unmatched)}


def map_folders(folders: Iterable[str], classes: list[str]) -> FolderMap:
    """Match folder names to class names: the same name, or a suggestion for names that differ
    in case, `_` and `-` for a space, plural, or a leading number; nothing is merged silently.
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
    """Labels as class names where they are one or their suggestion is `accepted`; other names,
    which count as out-of-distribution, and None stay."""
    labels = list(labels)
    resolved = map_folders({name for name in labels if name}, classes).resolve(accepted)
    return [(resolved[name] or name) if name else None for name in labels]


def _loose(name: str) -> str:
    name = _NUMBERING.sub("", unicodedata.normalize("NFKC", name).strip().casefold())
    return " ".join(re.sub(r"[_\-\s]+", " ", name).split())


def _singular(name: str) -> str:
    """The same for a singular and its plural; not always a word."""
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
