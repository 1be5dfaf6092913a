"""Make names from file systems, archives and browsers safe to store, show and write."""

from __future__ import annotations

import re
import unicodedata

from ueo_core.data.limits import Limits, RejectedFile

_DRIVE = re.compile(r"^[A-Za-z]:")
# Not allowed in a name on some file system, and what programs show wrongly.
_UNFIT = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
# Windows opens these as devices, whatever follows the first dot.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\.|$)", re.I)
_LONGEST_SUFFIX = 20  # bytes; what is longer is no file's suffix
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


def writable_name(name: str, longest: int, otherwise: str = "file") -> str:
    """A name of a file or folder that every file system takes, of at most `longest` bytes in UTF-8.

    A suffix is kept. otherwise: the name of what has no usable character.
    """
    name = "".join("_" if _unprintable(c) else c for c in _UNFIT.sub("_", name))
    stem, suffix = _split_suffix(name.strip(" ."))
    stem = stem.strip(" .") or otherwise
    if _DEVICES.match(stem + suffix):
        stem = f"_{stem}"
    return shortened(stem, longest - len(suffix.encode("utf-8"))).rstrip(" .") + suffix


def shortened(text: str, longest: int) -> str:
    """The beginning of `text` that has at most `longest` bytes in UTF-8."""
    return text.encode("utf-8")[:longest].decode("utf-8", "ignore")


def _split_suffix(name: str) -> tuple[str, str]:
    """Stem and suffix with its dot; no suffix where it is too long to be one."""
    stem, dot, suffix = name.rpartition(".")
    if not stem or not suffix.strip() or len(suffix.encode("utf-8")) > _LONGEST_SUFFIX:
        return name, ""
    return stem, dot + suffix


class WritableNames:
    """Names of the files of one folder: writable on every file system, and all different.

    Case makes no difference, and neither does the Unicode normalization, as on many file systems.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest  # bytes in UTF-8
        self._used: set[str] = set()
        self._next: dict[str, int] = {}

    def unique(self, name: str, otherwise: str = "file") -> str:
        """`name` as it can be written, with a number if it was used before."""
        plain = unique = writable_name(name, self._longest, otherwise)
        stem, suffix = _split_suffix(plain)
        while _same(unique) in self._used:
            number = self._next[_same(plain)] = self._next.get(_same(plain), 1) + 1
            counted = f" ({number}){suffix}"
            room = self._longest - len(counted.encode("utf-8"))
            unique = shortened(stem, room).rstrip(" .") + counted
        self._used.add(_same(unique))
        return unique


def _same(name: str) -> str:
    """Equal for names that a file system may take for the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


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
