"""Make names from file systems, archives and browsers safe to store, show and write."""

from __future__ import annotations

import re
import unicodedata

from ueo_core.data.limits import Limits, RejectedFile

_DRIVE = re.compile(r"^[A-Za-z]:")
_SYSTEM_NAMES = {"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin"}
# Invisible, or change the direction of text: with them, "gpj.exe" is shown as "exe.jpg".
_INVISIBLE = {0x200B, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}


def printable(raw: str, longest: int = 200) -> str:
    """`raw` as one line of valid text: control, bidi and undecodable characters become U+FFFD."""
    if len(raw) <= longest and raw.isprintable():  # nearly every name; the rest is slower
        return raw
    text = "".join("\ufffd" if _unprintable(c) else c for c in raw[: longest + 1])
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _unprintable(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} or ord(char) in _INVISIBLE


def relative_name(raw: str, limits: Limits) -> str:
    """A relative POSIX name without `.`, `..`, drive letter, backslash or control characters.

    Raises `RejectedFile` for names that lead outside the source: absolute paths, drive letters
    and `..`. Backslashes are separators, as Windows programs write them.
    """
    if len(raw) > limits.max_name_chars:
        raise RejectedFile(f"name over the limit max_name_chars = {limits.max_name_chars}")
    path = raw.replace("\\", "/")
    if path.startswith("/"):
        raise RejectedFile("absolute path in the name")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if any(
        _DRIVE.match(part) for part in parts
    ):  # on Windows, a drive letter anywhere makes it absolute
        raise RejectedFile("drive letter in the name")
    if any(part.strip(" .") == "" and ".." in part for part in parts):
        raise RejectedFile("'..' in the name")
    if not parts:
        raise RejectedFile("empty name")
    return "/".join(printable(part, limits.max_name_chars) for part in parts)


def hidden_reason(name: str) -> str | None:
    """Why a relative POSIX name is hidden from users, or None."""
    for part in name.split("/"):
        if part.casefold() in _SYSTEM_NAMES:
            return "system file"
        if part.startswith("."):
            return "hidden file"
    return None


class UniqueNames:
    """Makes names unique: a second `a.jpg` becomes `a (2).jpg`."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._next: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """`name`, with a number if it was used before."""
        unique = name
        folder, slash, last = name.rpartition("/")
        stem, dot, ending = last.rpartition(".")
        if not stem:
            stem, dot, ending = last, "", ""
        while unique in self._used:
            number = self._next[name] = self._next.get(name, 1) + 1
            unique = f"{folder}{slash}{stem} ({number}){dot}{ending}"
        self._used.add(unique)
        return unique
