"""A table of paths, as CSV or Parquet with a column `path`: images that lie in several places."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ueo_core.data.folder_walk import file_entry
from ueo_core.data.intake_report import SkippedFile
from ueo_core.data.limits import Limits, RejectedFile
from ueo_core.data.safe_names import printable
from ueo_core.data.source_entries import Entry
from ueo_core.utils.arrow import arrow
from ueo_core.utils.csv_text import exact
from ueo_core.utils.errors import UserError

COLUMN = "path"
LISTS = (".csv", ".parquet")
_ROWS = 8192  # of a Parquet table in memory at once


def listed_files(table: Path, limits: Limits) -> Iterator[Entry | SkippedFile]:
    """The files that a table names, in its order; a relative path begins at the table's folder.

    Their names are the paths as the table writes them: whoever writes the table chooses the files, so
    that absolute paths and `..` are followed here. A file that is missing is skipped with the reason.
    UserError for a table that cannot be read or has no such column.
    """
    for raw in _paths(table):
        name = printable(raw, limits.max_name_chars)
        try:
            if not raw.strip():
                raise RejectedFile(f"a row without a {COLUMN}")
            yield file_entry(name, table.parent / raw)
        except RejectedFile as error:
            yield SkippedFile(name, str(error))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not a valid path"
            yield SkippedFile(name, f"cannot be read ({reason})")


def _paths(table: Path) -> Iterator[str]:
    shown = printable(str(table))
    try:
        if table.suffix.casefold() == ".csv":
            yield from _csv_paths(table, shown)
        else:
            yield from _parquet_paths(table, shown)
    except UserError:
        raise
    except (OSError, ValueError, csv.Error) as error:  # pyarrow's errors are of these kinds, too
        raise UserError(
            f"List “{shown}”: it cannot be read ({error}); give a CSV in UTF-8 or a Parquet table with "
            f"a column “{COLUMN}”."
        ) from error


def _csv_paths(table: Path, shown: str) -> Iterator[str]:
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if COLUMN not in (rows.fieldnames or ()):
            raise _no_column(shown)
        for row in rows:
            yield exact(row[COLUMN] or "")


def _parquet_paths(table: Path, shown: str) -> Iterator[str]:
    _, parquet = arrow(f"List “{shown}”")
    with parquet.ParquetFile(table) as file:
        if COLUMN not in file.schema_arrow.names:
            raise _no_column(shown)
        for batch in file.iter_batches(_ROWS, columns=[COLUMN]):
            yield from ("" if value is None else str(value) for value in batch[0].to_pylist())


def _no_column(shown: str) -> UserError:
    return UserError(
        f"List “{shown}”: it has no column “{COLUMN}”; name the column with the paths so."
    )
