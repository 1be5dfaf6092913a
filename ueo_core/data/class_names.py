"""Class names: the only information about the images that a run gets.

A class has one name and may have further ones, its synonyms. Lists of them are read by `class_list`.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ueo_core.config.class_texts import same_text, shown
from ueo_core.utils.errors import UserError

Synonyms = Mapping[
    str, Sequence[str]
]  # class → its further names; classes without any may be missing

ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_FORBIDDEN = {0x200B, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}  # invisible
# CLIP's tokenizer writes all of these as ' and " (`ftfy`, uncurl_quotes).
_STRAIGHT = {ord(c): "'" for c in "ʼ‘’‛"} | {ord(c): '"' for c in "“”‟"}


@dataclass(frozen=True)
class ClassNames:
    """The classes of a list, and what a reader of the list should know of how it was read."""

    names: list[str]  # one per class, in their order
    synonyms: dict[str, list[str]] = field(default_factory=dict)  # of classes that have some
    remarks: list[str] = field(default_factory=list)  # sentences

    def alone(self, what: str) -> list[str]:
        """The names, for what takes one name per class; UserError where a class has further ones."""
        if self.synonyms:
            raise UserError(
                f"Class names: {what} takes one name per class; remove the further names of "
                f"{shown(next(iter(self.synonyms)))}."
            )
        return self.names


def check_class_names(names: Iterable[str]) -> list[str]:
    """Return the names as a list.

    Raises `UserError` for fewer than two names, a control or invisible character, or two names that
    differ only in case or in `_` for a space.
    """
    names = list(names)
    seen: dict[str, str] = {}
    for name in names:
        _check_characters(name)
        key = _folded(name)
        if not key:
            raise UserError(f"Class names: {shown(name)} contains no letters; enter a name.")
        if key in seen:
            first = seen[key]
            twice = "is given twice" if first == name else f"and {shown(first)} are the same name"
            raise UserError(f"Class names: {shown(name)} {twice}; keep one of them.")
        seen[key] = name
    if not names:
        raise UserError(
            "Class names: none were given; enter one per line, or separate them by commas."
        )
    if len(names) == 1:
        raise UserError(
            f"Class names: only {shown(names[0])} was given; give at least two, one per line or "
            "separated by commas."
        )
    return names


def check_texts(names: Sequence[str], synonyms: Synonyms | None = None) -> None:
    """Raise a UserError for two names or synonyms that are the same text for a model.

    Names may also differ in the kind of apostrophe, or in `&amp;` for `&`: CLIP's tokenizer makes
    the same tokens of both. What else is equal for a certain model, `class_texts` finds.
    """
    seen: dict[str, tuple[str, str]] = {}
    for owner in names:
        for name in (owner, *(synonyms or {}).get(owner, ())):
            _check_characters(name)
            key = _folded(html.unescape(name).translate(_STRAIGHT))
            if not key:
                raise UserError(f"Class names: {shown(name)} contains no letters; enter a name.")
            if key not in seen:
                seen[key] = name, owner
                continue
            raise same_text(*seen[key], name, owner)


def check_synonyms(data: Any, names: Sequence[str]) -> None:
    """Raise a ValueError for what cannot be the further names of these classes, read from a file."""
    if not isinstance(data, dict) or not data.keys() <= set(names):
        raise ValueError("“synonyms” are not of its classes")
    for more in data.values():
        if not isinstance(more, list) or not all(isinstance(n, str) and n.strip() for n in more):
            raise ValueError("“synonyms” are no names")


def class_names_of(given: Iterable[str] | Mapping[str, str | Iterable[str]]) -> ClassNames:
    """Classes from a list of names, or from a dict of each class's further names.

    Raises `UserError` as `check_class_names` and `check_texts` do, and for what is no text.
    """
    synonyms: dict[str, list[str]] = {}
    if isinstance(given, Mapping):
        for name, further in given.items():
            more = [further] if isinstance(further, str) else list(further or ())
            if more:
                synonyms[name] = more
    names = list(given)
    for name in (*names, *(n for more in synonyms.values() for n in more)):
        if not isinstance(name, str):
            raise UserError(f"Class names: {repr(name)[:60]} is not text; give names as text.")
    check_class_names(names)
    check_texts(names, synonyms)
    return ClassNames(names, synonyms)


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).replace("_", " ").casefold().split())


def _check_characters(name: str) -> None:
    for char in name:
        if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} or ord(char) in _FORBIDDEN:
            raise UserError(
                f"Class names: {shown(name)} contains the invisible character U+{ord(char):04X}; "
                "remove it."
            )
