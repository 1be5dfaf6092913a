"""Class names: the only information about the images that a run gets."""

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
    """Split a text into names, one per line or separated by commas, in their order.

    Spaces around a name, matching quotes, empty lines and a comma at the end of a line are
    removed. Raises `UserError` for fewer than two names, an empty name between commas, a control
    or invisible character, or two names that differ only in case or in `_` for a space.
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
                    f"Class names: there is an empty name after {len(names)} names; remove the extra "
                    "comma or fill in the name."
                )
            names.append(item)
    return check_class_names(names)


def check_class_names(names: Iterable[str]) -> list[str]:
    """Return the names as a list. Raises `UserError` as `parse_class_names` does."""
    names = list(names)
    seen: dict[str, str] = {}
    for name in names:
        _check_characters(name)
        key = " ".join(unicodedata.normalize("NFKC", name).replace("_", " ").casefold().split())
        if not key:
            raise UserError(f"Class names: {name!r} contains no letters; enter a name.")
        if key in seen:
            first = seen[key]
            twice = "is given twice" if first == name else f"and {first!r} are the same name"
            raise UserError(f"Class names: {name!r} {twice}; keep one of them.")
        seen[key] = name
    if not names:
        raise UserError(
            "Class names: none were given; enter one per line, or separate them by commas."
        )
    if len(names) == 1:
        raise UserError(
            f"Class names: only {names[0]!r} was given; give at least two, one per line or "
            "separated by commas."
        )
    return names


def read_class_names(spec: str) -> list[str]:
    """Read class names from a command-line value: `"a,b,c"`, the path of a text file with the
    names, or the path of a folder whose subfolders have these names.

    If a file or folder of that name exists, it is used. Raises `UserError` as
    `parse_class_names` does, and for a single word that is neither a file nor a folder.
    """
    try:
        path = Path(spec)
        is_file, is_folder = path.is_file(), bool(spec.strip()) and path.is_dir()
    except (OSError, ValueError):  # too long for a path, or contains NUL: it must be a list
        is_file = is_folder = False
    if is_file:
        return parse_class_names(_read(path))
    if is_folder:
        return _subfolders(path)
    if "," not in spec and "\n" not in spec and spec.strip():
        raise UserError(
            f"Class names: {_shown(spec)} is not a file or folder, and as a list it has only one name; "
            'give a file with one name per line, or "a,b,c".'
        )
    return parse_class_names(spec)


def _subfolders(path: Path) -> list[str]:
    """The sorted names of a folder's subfolders, without hidden ones."""
    try:
        inside = sorted(child.name for child in path.iterdir() if child.is_dir())
    except OSError as error:
        raise UserError(
            f"Class names: {path} cannot be read ({error.strerror}); check its permissions."
        ) from error
    names = [name for name in inside if not name.startswith((".", "__"))]
    if len(names) < 2:
        raise UserError(
            f"Class names: {path} is a folder with {len(names)} subfolders to use as class names; "
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
                f"Class names: {_shown(name)} contains the invisible character U+{ord(char):04X}; "
                "remove it."
            )


def _shown(text: str) -> str:
    return ascii(text[:60]) if not text.isprintable() else repr(text[:60])
