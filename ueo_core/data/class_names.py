"""Class names: the only text that a run is given."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from ueo_core.utils.errors import UserError

_FILE_BYTES = 10**6
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’"}
_FORBIDDEN = {0x200B, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}  # invisible


def parse_class_names(text: str) -> list[str]:
    """Names, one per line or separated by commas, in their order.

    Blanks around a name, matching quotes, empty lines and a comma at a line's end are
    dropped. Raises `UserError` when there are fewer than two names, an empty one between
    commas, a control or invisible character, or two names that differ only in case or in `_`
    for a space.
    """
    names: list[str] = []
    for line in text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        items = [_unquoted(item) for item in line.split(",")]
        if len(items) > 1 and not items[-1]:
            items.pop()
        if items == [""]:
            continue
        for item in items:
            if not item:
                raise UserError(
                    f"Class names: an empty name after {len(names)} names; remove the extra comma "
                    "or fill it in."
                )
            names.append(item)
    return check_class_names(names)


def check_class_names(names: Iterable[str]) -> list[str]:
    """The same names, if a run can tell them apart; else `UserError`."""
    names = list(names)
    seen: dict[str, str] = {}
    for name in names:
        _check_characters(name)
        same = " ".join(unicodedata.normalize("NFKC", name).replace("_", " ").casefold().split())
        if not same:
            raise UserError(f"Class names: {name!r} holds no letters; give it a name.")
        if same in seen:
            first = seen[same]
            twice = "is given twice" if first == name else f"and {first!r} read the same"
            raise UserError(f"Class names: {name!r} {twice}; keep one of them.")
        seen[same] = name
    if not names:
        raise UserError("Class names: none were given; write one per line or separate by commas.")
    if len(names) == 1:
        raise UserError(
            f"Class names: only {names[0]!r} was given; give at least two, one per line or "
            "separated by commas."
        )
    return names


def read_class_names(spec: str) -> list[str]:
    """Class names from the command line: `"a,b,c"`, the path of a text file that holds them, or
    the path of a folder whose subfolders are named after them.

    A file or folder of that name wins. Raises `UserError` as `parse_class_names` does, and for a
    single word that is neither.
    """
    try:
        path = Path(spec)
        is_file, is_folder = path.is_file(), bool(spec.strip()) and path.is_dir()
    except (OSError, ValueError):  # too long or a NUL: certainly a list
        is_file = is_folder = False
    if is_file:
        return parse_class_names(_read(path))
    if is_folder:
        return _subfolders(path)
    if "," not in spec and "\n" not in spec and spec.strip():
        raise UserError(
            f"Class names: {_shown(spec)} is no file or folder, and as a list it has one name only; "
            'give a file with one name per line or "a,b,c".'
        )
    return parse_class_names(spec)


def _subfolders(path: Path) -> list[str]:
    """The names of a folder's subfolders, but of those that systems hide, sorted."""
    try:
        inside = sorted(child.name for child in path.iterdir() if child.is_dir())
    except OSError as error:
        raise UserError(
            f"Class names: {path} cannot be read ({error.strerror}); check its permissions."
        ) from error
    names = [name for name in inside if not name.startswith((".", "__"))]
    if len(names) < 2:
        raise UserError(
            f"Class names: {path} is a folder with {len(names)} subfolders to take names from; "
            'give one with at least two, a file with one name per line, or "a,b,c".'
        )
    return check_class_names(names)


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _FILE_BYTES:
            raise UserError(
                f"Class names: {path} is larger than {_FILE_BYTES:,} bytes; give a text file with "
                "one name per line."
            )
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(
            f"Class names: {path} cannot be read ({error.strerror}); check its permissions."
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"Class names: {path} is not UTF-8 text; save it as UTF-8.") from error


def _unquoted(item: str) -> str:
    item = re.sub(" +", " ", item).strip()
    while len(item) > 1 and _QUOTES.get(item[0]) == item[-1]:
        item = item[1:-1].strip()
    return item


def _check_characters(name: str) -> None:
    for char in name:
        if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} or ord(char) in _FORBIDDEN:
            raise UserError(
                f"Class names: {_shown(name)} holds the invisible character U+{ord(char):04X}; "
                "remove it."
            )


def _shown(text: str) -> str:
    return ascii(text[:60]) if not text.isprintable() else repr(text[:60])
