"""Standard output: it never fails for a character it cannot say, and a closed pipe is a quiet end."""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ueo_core.inference.predictions import Predictions

STDOUT = Path("-")


def say_anything() -> None:
    """Let stdout escape what its encoding has no character for, instead of raising."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")


def json_line(data: dict) -> str:
    """One JSON object; in ASCII where stdout is not UTF-8, so that every reader gets the same names."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "").replace("_", "") == "utf8"
    return json.dumps(data, ensure_ascii=not utf8, allow_nan=False)


def write_predictions(
    predictions: Predictions, path: Path, threshold: float, for_excel: bool
) -> int:
    """Write the CSV to a file, or to standard output for `-`. → number of unknown files"""
    if path != STDOUT:
        return predictions.write_csv(path, threshold, for_excel)
    sys.stdout.flush()
    sys.stdout.buffer.write(predictions.csv(threshold, for_excel))
    sys.stdout.buffer.flush()
    return predictions.unknown_files(threshold)


def holds_a_table(args: argparse.Namespace) -> bool:
    """Whether standard output is a table, so that sentences belong to stderr."""
    return STDOUT in (getattr(args, "csv", None), getattr(args, "to", None))


@contextlib.contextmanager
def quiet_when_closed() -> Iterator[None]:
    """End in order where the reader of stdout has gone, as `head` does after its lines."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Python would flush once more when it exits, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
