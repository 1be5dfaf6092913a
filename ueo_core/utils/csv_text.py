"""Tables as CSV for people: no cell of theirs is run as a formula by a spreadsheet."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

# Excel, LibreOffice and Google Sheets run a cell that begins so; an apostrophe makes it text.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
BYTE_ORDER_MARK = "\ufeff"  # without it, Excel reads UTF-8 in the system's code page


def cell(text: str) -> str:
    """A name as a cell that is shown and never run; `exact` is its inverse."""
    return f"'{text}" if _FORMULA.match(text) else text


def exact(text: str) -> str:
    """The name that `cell` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV; text in them goes through `cell`, numbers are given as numbers."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(header)
    table.writerows([cell(v) if isinstance(v, str) else v for v in row] for row in rows)
    return text.getvalue()
