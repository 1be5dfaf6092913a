"""Images sorted by prediction: one folder per class and one for the unknown, and a list of them."""

from collections.abc import Sequence

from ueo_core.data.safe_names import WritableNames
from ueo_core.export.predicted_images import FILE_BYTES, UNKNOWN, PredictedFile, TreeExport
from ueo_core.inference.predictions import COLUMNS
from ueo_core.utils.csv_text import csv_text

LIST = "predictions.csv"
_FOLDER_BYTES = 80


def folder_names(classes: Sequence[str]) -> list[str]:
    """A folder name for every class, then one for the unknown: all different, valid on any disk."""
    names = WritableNames(_FOLDER_BYTES)
    return [names.unique(name, "class") for name in [*classes, UNKNOWN]]


def write_sorted(export: TreeExport) -> None:
    """Every file in the folder of its prediction; the list says which is an original, and what failed."""
    batch = export.batch
    folders = dict(zip(batch.labels, folder_names(batch.predictions.classes), strict=True))
    names = {folder: WritableNames(FILE_BYTES) for folder in folders.values()}

    def place(file: PredictedFile, name: str) -> str:
        folder = folders[file.label]
        return f"{folder}/{names[folder].unique(name, 'image')}"

    table = []
    for file, copy in export.copied(place):
        kind = "original" if copy.original else "stored"
        told = (copy.place, kind) if copy.place else ("", f"not written: {copy.reason}")
        table.append([*file.cells, *told])
    export.write(LIST, csv_text([*COLUMNS, "file", "bytes"], table).encode("utf-8"))
