"""Words that the name check suggests: a list of common nouns, and a file of the user's own."""

from pathlib import Path

from ueo_core.utils.errors import UserError
from ueo_core.utils.paths import ASSETS, studio_home

COMMON = "common_nouns.txt"
OWN = "words.txt"  # in the studio's home folder
_BYTES = 10**6


def word_list(own: Path | None = None) -> list[str]:
    """The common nouns and the words of a file, each once, in their order.

    own: a text file with one or more words a line, separated by commas; lines that begin with # are
    left out. None: `words.txt` in the studio's home folder, where there is one. UserError if the
    file cannot be read.
    """
    words = _read(ASSETS / COMMON)
    default = studio_home() / OWN
    if own is None and default.is_file():
        own = default
    if own is not None:
        words += _read(own)
    return list(dict.fromkeys(words))


def _read(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _BYTES:
            raise UserError(
                f"Word list “{path}”: it is larger than {_BYTES:,} bytes; give a shorter one."
            )
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(
            f"Word list “{path}”: it cannot be read ({error.strerror}); check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"Word list “{path}”: it is not UTF-8 text; save it as UTF-8.") from error
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [w for line in lines for word in line.split(",") if (w := " ".join(word.split()))]
