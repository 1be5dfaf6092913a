"""Lists of class names as people write them: typed, pasted, in a file, on the command line.

One name per line, or separated by commas. `dog: puppy, hound` gives a class further names; on one
line such classes are separated by `;`. Quotes hold a name together: `"tench, Tinca tinca"`. Lines that
begin with # are notes. What was read in another way than it is written is said in a remark.
"""

from __future__ import annotations

import ast
import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ueo_core.config.class_texts import shown
from ueo_core.data.class_names import (
    ENTITY,
    ClassNames,
    Synonyms,
    check_class_names,
    check_texts,
    class_names_of,
)
from ueo_core.utils.errors import UserError

_FILE_BYTES = 10**6
_WORDS = 8  # of a name; with more it is probably a sentence
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’"}
_QUOTED = {
    begin: re.compile(rf"{begin}((?:[^{end}]|{end}{end})*){end}(?=\s*(?:[,;]|:(?=\s|$)|$))")
    for begin, end in _QUOTES.items()
}
_HEADING = re.compile(
    r"(?:(?:classes|class names|names|labels|categories)\s*[:=]|\w+\s*=(?=\s*[\[({]))\s*",
    re.IGNORECASE,
)
_MARK = re.compile(r"(?:\d{1,4}[.):]|[-*•–—])\s+(?=\S)")  # of an item of a list
_NUMBERED = re.compile(r"(?:n\d{8}|\d{1,4})[ ._-]+(?=\D)|[-*•–—]\s")
_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_SAFE = re.compile(r"\w[\w .'’/&()+-]*")  # needs no quotes


def parse_class_names(text: str) -> ClassNames:
    """Read a list of class names.

    Spaces around a name, matching quotes, empty lines and a comma at the end of a line are removed.
    Raises `UserError` as `check_class_names` and `check_texts` do, and for an empty name between
    commas.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").strip()
    remarks: list[str] = []
    if heading := _HEADING.match(text):
        remarks.append(f"{shown(heading[0].strip())} at the beginning was read as a heading.")
        text = text[heading.end() :]
    found = _literal(text, remarks)
    if found is None:
        found = _lines(text, remarks)
    check_texts(list(found), found)
    names = [_unescaped(name, remarks) for name in found]
    synonyms = {
        _unescaped(name, []): [_unescaped(n, remarks) for n in more]
        for name, more in found.items()
        if more
    }
    check_class_names(names)  # an entity may stand for anything
    check_texts(names, synonyms)
    return ClassNames(
        names, synonyms, [f"Class names: {r}" for r in _odd(names, synonyms, remarks)]
    )


def split_names(text: str) -> list[str]:
    """The names between the commas of one line; a single one is enough. UserError as above."""
    return _items(text, 0)


def words_given(given: str | Iterable[str]) -> list[str]:
    """Negative words as a Python argument: a list, or a text with commas. Raises `UserError`."""
    words = split_names(given) if isinstance(given, str) else list(given)
    if not words or not all(isinstance(word, str) and word.strip() for word in words):
        raise UserError("Negative words: give at least one word, as text in a list.")
    return words


def write_class_names(
    names: Sequence[str], synonyms: Synonyms | None = None, one_line: bool = False
) -> str:
    """A text that `parse_class_names` reads as these classes, one per line or all on one."""
    synonyms = {k: v for k, v in (synonyms or {}).items() if v}
    lines = [
        _written(name) + (": " + ", ".join(map(_written, more)) if more else "")
        for name, more in ((name, synonyms.get(name, ())) for name in names)
    ]
    return ("; " if synonyms else ",").join(lines) if one_line else "\n".join(lines)


def read_class_names(spec: str) -> ClassNames:
    """Read class names from a command-line value: a list, the path of a text file with one, or the
    path of a folder whose subfolders have these names.

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
    if spec.strip() and not any(c in spec for c in ",\n:;["):
        raise UserError(
            f"Class names: {shown(spec)} is not a file or folder, and as a list it has only one name; "
            'give a file with one name per line, or "a,b,c".'
        )
    return parse_class_names(spec)


def classes_given(given: Any) -> ClassNames:
    """Classes as a Python argument: a list of names, a dict of each class's further names, a text
    as `parse_class_names` reads it, or the `Path` of a file or folder. Raises `UserError`.
    """
    if isinstance(given, Path):
        return read_class_names(str(given))
    if isinstance(given, str):
        return parse_class_names(given)
    try:
        return class_names_of(given)
    except TypeError:
        raise UserError(
            "classes: give a list of at least two class names, a dict of each class's further names, "
            "or a text with one class per line."
        ) from None


# The parts of a text


def _lines(text: str, remarks: list[str]) -> dict[str, list[str]]:
    """Class → further names, of a text with one class per line or several separated by commas."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    kept = [line for line in lines if not line.startswith("#")]
    if notes := len(lines) - len(kept):
        one = notes == 1
        remarks.append(
            f"{notes} line{'s' * (not one)} that begin{'s' * one} with # "
            f"{'was' if one else 'were'} left out as {'a note' if one else 'notes'}."
        )
    kept = _without_marks(kept, remarks)
    parts = [
        part.strip()
        for line in kept
        for part in (_cut(line, ";") if _colon(line) is not None else [line])
    ]
    found: list[tuple[str, list[str]]] = []
    for part in filter(None, parts):
        at = _colon(part)
        head = _items(part[:at] if at is not None else part, len(found))
        if at is not None and len(head) > 1:
            raise UserError(
                f"Class names: {shown(part)} has a comma before its colon; write each class with "
                "further names on a line of its own, or quote a name that contains a colon."
            )
        more = _items(part[at + 1 :], len(found) + 1) if at is not None else []
        found += [(name, more) for name in head]
    names = [name for name, _ in found]
    check_class_names(names)
    return dict(found)


def _items(text: str, before: int) -> list[str]:
    """The names between commas, without a comma at the end. before: how many names there were."""
    items = [_unquoted(item) for item in _cut(text, ",")]
    if not items[-1]:
        items.pop()
    if "" in items:
        raise UserError(
            f"Class names: there is an empty name after {before + items.index('')} names; remove the "
            "extra comma or fill in the name."
        )
    return items


def _outside(text: str) -> Iterator[tuple[int, str]]:
    """The characters outside quotes, with their place. A quote opens only where an item begins."""
    i, begins = 0, True
    while i < len(text):
        if begins and text[i] in _QUOTES and (quoted := _QUOTED[text[i]].match(text, i)):
            i, begins = quoted.end(), False
            continue
        yield i, text[i]
        begins = text[i] in ",;:" or (begins and text[i].isspace())
        i += 1


def _cut(text: str, separator: str) -> list[str]:
    at = [i for i, char in _outside(text) if char == separator]
    return [text[a:b] for a, b in zip([0, *(i + 1 for i in at)], [*at, len(text)], strict=True)]


def _colon(text: str) -> int | None:
    """The place of the first colon outside quotes that a space or the end follows."""
    return next(
        (i for i, c in _outside(text) if c == ":" and not text[i + 1 : i + 2].strip()), None
    )


def _unquoted(item: str) -> str:
    item = _clean(item)
    quoted = _QUOTED[item[0]].fullmatch(item) if item[:1] in _QUOTES and item else None
    if not quoted:
        return item
    end = _QUOTES[item[0]]
    return _clean(quoted[1].replace(end * 2, end))


def _clean(item: str) -> str:
    return re.sub(" +", " ", item).strip()


def _written(name: str) -> str:
    name = ENTITY.sub(lambda entity: "&amp;" + entity[0][1:], name)
    if _SAFE.fullmatch(name) and not _MARK.match(name):
        return name
    return '"' + name.replace('"', '""') + '"'


def _without_marks(lines: list[str], remarks: list[str]) -> list[str]:
    """The lines without the `1.` or `-` of a list, if all of them have one; or so the items of one line."""
    parts = _cut(lines[0], ",") if len(lines) == 1 else lines
    marks = [_MARK.match(part.strip()) for part in parts]
    if len(parts) < 2 or not all(marks):
        return lines
    bare = [part.strip()[mark.end() :] for part, mark in zip(parts, marks, strict=True) if mark]
    remarks.append(
        f"The marks of a list were removed: {shown(parts[0].strip())} was read as {shown(bare[0])}."
    )
    return [",".join(bare)] if len(lines) == 1 else bare


def _literal(text: str, remarks: list[str]) -> dict[str, list[str]] | None:
    """Class → further names, of a list or a dict as Python writes it; None for another text."""
    if not text or _BRACKETS.get(text[0]) != text[-1]:
        return None
    try:
        data = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        remarks.append(
            f"The text begins with {text[0]} but is no Python list, so it was read line by line."
        )
        return None
    if isinstance(data, Mapping) and all(isinstance(key, int) for key in data):
        data = list(data.values())  # numbered, as detectors write their classes
    if not isinstance(data, (list, tuple, dict)):
        data = [data]
    names = class_names_of(data)
    clean = {name: [_clean(n) for n in names.synonyms.get(name, ())] for name in names.names}
    return {_clean(name): more for name, more in clean.items()}


def _unescaped(name: str, remarks: list[str]) -> str:
    """A name with `&` for `&amp;`, and so on."""
    read = _clean(ENTITY.sub(lambda entity: html.unescape(entity[0]), name))
    if read != name:
        remarks.append(f"{shown(name)} was read as {shown(read)}.")
    return read


def _odd(names: list[str], synonyms: dict[str, list[str]], remarks: list[str]) -> list[str]:
    """All remarks: what was read in another way than it is written, and what may be meant otherwise."""
    found = list(remarks)
    if synonyms:
        name, more = next(iter(synonyms.items()))
        listed = ", ".join(map(shown, more))
        found.append(
            f"{len(synonyms)} class{'es have' if len(synonyms) > 1 else ' has'} further names (as "
            f"{shown(name)}: {listed}); quote a name that contains a colon."
        )
    if odd := [n for n in names if _NUMBERED.match(n)]:
        others = f" and {len(odd) - 1} more" * (len(odd) > 1)
        found.append(
            f"{shown(odd[0])}{others} begin{'s' * (not others)} with a number or a dash, which was kept "
            "as a part of the name."
        )
    if long := [n for n in names if len(n.split()) > _WORDS]:
        found.append(
            f"{shown(long[0])} has {len(long[0].split())} words; if that is a sentence and no name, "
            "remove it."
        )
    if joined := [n for n in names if ";" in n or re.search(r"\w:\w", n)]:
        found.append(
            f"{shown(joined[0])} was read as one name; classes are separated by commas or lines, and a "
            "space follows the colon before further names."
        )
    return found


# Files


def _subfolders(path: Path) -> ClassNames:
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
    return class_names_of(names)


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
