"""Labels from what Label Studio exports: JSON, or JSON-MIN. Its CSV is a table as any other.

Sources: https://labelstud.io/guide/export and https://labelstud.io/guide/task_format. The tasks are those
of the export format `label-studio`: each keeps the path of its image, and the choice is named `label`.
"""

import json
from collections.abc import Iterator
from typing import Any

from ueo_core.utils.errors import UserError

PATH, CHOICE = "path", "label"


def is_label_studio(text: str) -> bool:
    """Whether a text is a list in JSON, which no table begins as."""
    return text.lstrip().startswith("[")


def label_rows(text: str, shown: str) -> Iterator[tuple[str, str, str]]:
    """The tasks as rows: which it is, path, label; an empty label where nobody has chosen one.

    Predictions and cancelled annotations are no labels. Each choice of a task is a row. shown: the name of
    the file. UserError for text that is no such list.
    """
    try:
        tasks = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"Labels file {shown}: it is not JSON ({error}); export it from Label Studio again."
        ) from None
    for number, task in enumerate(tasks, start=1):
        try:
            path, labels = _row(task)
        except (TypeError, KeyError, AttributeError):
            raise UserError(
                f"Labels file {shown}: task {number} is not one of Label Studio with the path of its image; "
                "label the tasks of `export --what label-studio`, and export them as JSON."
            ) from None
        for label in labels or [""]:
            yield f"task {number}", path, label


def _row(task: dict[str, Any]) -> tuple[str, list[str]]:
    """Path and chosen labels of a task. KeyError, TypeError or AttributeError where it is another thing."""
    if "data" not in task:  # JSON-MIN
        label = task.get(CHOICE) or ""
        return _text(task[PATH]), [_text(label)] if label else []
    results = [
        region
        for annotation in task.get("annotations") or []
        if not annotation.get("was_cancelled")
        for region in annotation["result"]
    ]
    chosen = [
        _text(label)
        for region in results
        if region.get("type") == "choices" and region.get("from_name") == CHOICE
        for label in region["value"]["choices"]
    ]
    return _text(task["data"][PATH]), chosen


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
