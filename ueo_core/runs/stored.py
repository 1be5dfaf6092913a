"""Checks of the files of a run's folder: a damaged one is recognized where it is read."""

import json
from pathlib import Path
from typing import Any

from ueo_core.data.class_names import check_synonyms
from ueo_core.runs.states import STATES
from ueo_core.utils.errors import UserError

_NUMBER = (int, float)
_REFERENCE = {"store": str, "set": str, "name": str, "fingerprint": str, "n": int}
_CONFIG = {"title": str, "settings": dict, "classes": list, "pool": dict}
_STATE = {"phase": str, "reason": str, "step": int, "updated": _NUMBER}
# What viewers read of each kind of event; other kinds are ignored by them.
_EVENTS: dict[str, dict[str, Any]] = {
    "start": {"weights": list, "ood": list, "steps": int},
    "step": {
        "step": int,
        "epoch": int,
        "loss": _NUMBER,
        "entropy": _NUMBER,
        "marginal": _NUMBER,
        "lr": _NUMBER,
        "elapsed": _NUMBER,
        "batch": dict,
    },
    "evaluation": {"step": int, "set": str, "spread": _NUMBER, "agreement": _NUMBER},
    "trial": {"lr": _NUMBER, "trained": int},
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


def _check(data: Any, fields: dict[str, Any]) -> dict:
    """The same data if it is an object with these fields, else a ValueError."""
    if not isinstance(data, dict):
        raise ValueError("it holds no object")
    for name, kind in fields.items():
        value = data.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(f"“{name}” is missing or has another type")
    return data


def check_config(data: Any) -> dict:
    """What a run was created with. ValueError if it cannot be used."""
    _check(data, _CONFIG)
    _check(data["pool"], _REFERENCE)
    if data.setdefault("holdout", None) is not None:
        _check(data["holdout"], _REFERENCE)
    if not data["classes"] or not all(isinstance(c, str) for c in data["classes"]):
        raise ValueError("“classes” are no names")
    _check(data["settings"], {"method": str, "backbone": str, "seed": int})
    check_synonyms(data.setdefault("synonyms", {}), data["classes"])
    data.setdefault("created", 0.0)
    _check(data, {"created": _NUMBER})
    return data


def check_state(data: Any) -> dict:
    """A run's state. ValueError if it cannot be used."""
    _check(data, _STATE)
    if data.get("state") not in STATES:
        raise ValueError("its state is not known")
    if data.get("steps") is not None:
        _check(data, {"steps": int})
    return data | {"steps": data.get("steps")}


def check_labels(data: Any) -> dict:
    """Label names by image set. ValueError if they cannot be used."""
    _check(data, {})
    for names in data.values():
        if names is not None and not (
            isinstance(names, list) and all(n is None or isinstance(n, str) for n in names)
        ):
            raise ValueError("labels are no names")
    return data


def usable_event(line: bytes) -> dict | None:
    """The event of a line, or None if the line is incomplete or damaged."""
    try:
        event = json.loads(line)
        kind = _check(event, {"kind": str})["kind"]
        return _check(event, _EVENTS.get(kind, {}))
    except (ValueError, RecursionError):
        return None
