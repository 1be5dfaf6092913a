"""Checks of the files of a run's folder: a damaged one is recognized where it is read."""

import json
from pathlib import Path
from typing import Any

from ueo_core.data.class_names import check_synonyms
from ueo_core.runs.states import STATES
from ueo_core.utils.errors import UserError
from ueo_core.utils.shapes import NAME, NUMBER, Maybe, check_shape

REFERENCE = {"store": str, "set": str, "name": str, "fingerprint": str, "n": int}
_CONFIG = {
    "title": str,
    "settings": dict,
    "classes": [str],
    "pool": REFERENCE,
    "holdout": Maybe(REFERENCE),
}
_RESULT = {
    "step": int,
    "metrics": Maybe({}),
    "guard": Maybe({"share": NUMBER, "reason": str, "model": NAME}),
}
_STATE = {
    "phase": str,
    "reason": str,
    "step": int,
    "updated": NUMBER,
    "form": Maybe({"precision": Maybe(str), "layout": Maybe(str)}),  # of models.measured_form
}
# What viewers read of each kind of event; other kinds are ignored by them.
_EVENTS: dict[str, dict[str, Any]] = {
    "start": {"weights": list, "ood": list, "steps": int},
    "step": {
        "step": int,
        "epoch": int,
        "loss": NUMBER,
        "entropy": NUMBER,
        "marginal": NUMBER,
        "lr": NUMBER,
        "elapsed": NUMBER,
        "batch": dict,
    },
    "evaluation": {"step": int, "set": str, "spread": NUMBER, "agreement": NUMBER},
    "trial": {"lr": NUMBER, "trained": int},
    "note": {"text": str},
}


class DamagedRun(UserError):
    """A file of a run cannot be used; the message names it, the reason and the way out."""

    def __init__(self, folder: Path, name: str, why: Exception):
        reason = "it is missing" if isinstance(why, FileNotFoundError) else str(why)
        super().__init__(
            f"Run “{folder.name}”: its file {name} is damaged ({reason}); restore it from a backup, or "
            "start the run again. Its checkpoints are kept."
        )


def check_config(data: Any) -> dict:
    """What a run was created with. ValueError if it cannot be used."""
    check_shape(data, _CONFIG)
    data.setdefault("holdout", None)
    if not data["classes"]:
        raise ValueError("“classes” are no names")
    check_shape(data["settings"], {"method": str, "backbone": str, "seed": int})
    check_synonyms(data.setdefault("synonyms", {}), data["classes"])
    data.setdefault("created", 0.0)
    check_shape(data, {"created": NUMBER})
    return data


def check_state(data: Any) -> dict:
    """A run's state. ValueError if it cannot be used."""
    check_shape(data, _STATE)
    if data.get("state") not in STATES:
        raise ValueError("its state is not known")
    if data.get("steps") is not None:
        check_shape(data, {"steps": int})
    return data | {"steps": data.get("steps")}


def check_result(data: Any) -> dict:
    """What a run's training led to. ValueError if it cannot be used."""
    check_shape(data, _RESULT)
    for part, models in data.setdefault("metrics", {}).items():
        for model, figures in check_shape(models, {}, part).items():
            check_shape(figures, {"acc": Maybe(NUMBER), "hm": Maybe(NUMBER)}, model)
    return data


def check_labels(data: Any) -> dict:
    """Label names by image set. ValueError if they cannot be used."""
    for part, names in check_shape(data, {}).items():
        check_shape(names, Maybe([NAME]), part)
    return data


def usable_event(line: bytes) -> dict | None:
    """The event of a line, or None if the line is incomplete or damaged."""
    try:
        event = json.loads(line)
        kind = check_shape(event, {"kind": str})["kind"]
        return check_shape(event, _EVENTS.get(kind, {}))
    except (ValueError, RecursionError):
        return None
