"""A run's folder: settings, state, events, checkpoints and results, readable at any time.

Files are written under another name and renamed; events are appended line by line. After a kill
the last line may be incomplete, so readers skip it.
"""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ueo_core.config.settings import Settings
from ueo_core.runs.states import next_state
from ueo_core.runs.stored import (
    DamagedRun,
    check_config,
    check_labels,
    check_result,
    check_state,
    usable_event,
)
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import write_bytes, write_json
from ueo_core.utils.tensor_files import read_tensors, write_tensors

if TYPE_CHECKING:  # pages list runs without loading torch
    from torch import Tensor

log = logging.getLogger(__name__)
REBUILT = (
    "The file state.json was damaged, and the state was rebuilt from what else is there: resume to "
    "continue from the last checkpoint."
)
# The image sets of a run by their key in its config, as sentences name them.
IMAGE_SETS = {"pool": "the pool it was adapted to", "holdout": "the labeled test set"}
# A click and the worker may change the state of a run at the same time.
_CHANGING = threading.RLock()


class RunFolder:
    """One run on disk. Opening reads no file; `create` makes a new run."""

    def __init__(self, path: Path):
        self.path = Path(path)

    @classmethod
    def create(cls, path: Path, config: dict, labels: dict) -> "RunFolder":
        """Make the folder of a new run.

        config: settings, classes and image sets as plain data; labels: label names by set (`pool`,
        `holdout`) or None, kept in a separate file that only scoring reads. UserError if the folder
        already contains a run or cannot be written.
        """
        folder = cls(path)
        if (folder.path / "config.json").exists():
            raise UserError(
                f"Run folder “{path}”: it already holds a run; choose another folder, or remove it."
            )
        try:
            (folder.path / "checkpoints").mkdir(parents=True, exist_ok=True)
            write_json(folder.path / "labels.json", labels, indent=1)
            folder.set_state("queued")
            # Written last: a folder with this file is a run.
            write_json(folder.path / "config.json", config, indent=1)
        except OSError as error:
            raise UserError(
                f"Run folder “{path}”: it cannot be written ({error.strerror}); choose another folder."
            ) from error
        return folder

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """An existing run; UserError if there is none."""
        folder = cls(path)
        if not (folder.path / "config.json").is_file():
            raise UserError(f"Run “{path}”: there is no run in that folder; check the path.")
        return folder

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def config(self) -> dict:
        """What the run was created with; DamagedRun if it cannot be read."""
        return self._checked("config.json", check_config)

    def _checked(self, name: str, check) -> dict:
        try:
            return check(json.loads((self.path / name).read_bytes()))
        except (OSError, ValueError, RecursionError) as error:
            raise DamagedRun(self.path, name, error) from error

    @property
    def settings(self) -> Settings:
        """The settings at the start, with the extensions since then and what the run has chosen."""
        state = self.state
        later = {k: v for k, v in state.items() if k in ("extensions", "lr")}
        later |= {k: v for k, v in (state.get("form") or {}).items() if k == "precision"}
        return Settings.from_json(self.config["settings"] | later)

    def labels(self) -> dict:
        """Label names for scoring only: {"pool": [...] | None, "holdout": [...] | None}."""
        return self._checked("labels.json", check_labels)

    # State

    @property
    def state(self) -> dict:
        """{"state", "phase", "reason", "step", "steps", "updated", …} as last written.

        A damaged or missing file is replaced by what result, events and checkpoints say.
        """
        try:
            return self._checked("state.json", check_state)
        except DamagedRun as error:
            if (self.path / "config.json").is_file():
                log.warning("run %s: its state was rebuilt: %s", self.id, error.__cause__)
            return self._rebuilt_state()

    def _rebuilt_state(self) -> dict:
        step, created = self.final_step(), self._created()
        done = step is not None
        steps = next((e["steps"] for e in self.events() if e["kind"] == "start"), None)
        return {
            "state": "finished" if done else "paused",
            "phase": "",
            "reason": "" if done else REBUILT,
            "step": step if step is not None else max(self.checkpoints(), default=0),
            "steps": steps,
            "created": created,
            "updated": created,
        }

    def _created(self) -> float:
        """When the run was created; of a folder that is no run yet: now."""
        try:
            return (self.path / "config.json").stat().st_mtime
        except OSError:
            return time.time()

    def final_step(self) -> int | None:
        """The step that the result belongs to; None without a readable result."""
        found = self.result()
        if found is None or not (self.path / "adapted.safetensors").is_file():
            return None
        return found["step"]

    def result(self) -> dict | None:
        """What the training led to: step, metrics, guard, …; None if there is none or it is damaged."""
        try:
            return self._checked("result.json", check_result)
        except DamagedRun:
            return None

    def set_state(self, state: str, **details) -> dict:
        """Set the state and these details without a check; other details are kept. → the whole state"""
        with _CHANGING:
            old = self.state
            if not (self.path / "config.json").is_file():  # a new run
                old |= {"step": 0, "steps": None, "reason": ""}
            new = {**old, **details, "state": state, "updated": time.time()}
            write_json(self.path / "state.json", new, indent=1)
        return new

    def move(self, cause: str, **details) -> dict:
        """Make a transition of the state table; UserError if it has none. → the whole state"""
        with _CHANGING:
            return self.set_state(next_state(self.state["state"], cause), **details)

    def update(self, **details) -> dict:
        """Change details and keep the state. → the whole state"""
        with _CHANGING:
            return self.set_state(self.state["state"], **details)

    # Events

    def append(self, event: dict) -> None:
        """Append one event; it is passed to the operating system before this returns."""
        with open(self.path / "events.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(event, ensure_ascii=False) + "\n")

    def events(self) -> Iterator[dict]:
        """All events in order, without lines that are incomplete or damaged."""
        try:
            with open(self.path / "events.jsonl", "rb") as file:
                for line in file:
                    event = usable_event(line)
                    if event is not None:
                        yield event
        except FileNotFoundError:
            return

    def rewind(self, step: int) -> None:
        """Remove the events after `step`, and an incomplete line: a resumed run writes them again."""
        kept = [e for e in self.events() if e.get("step", 0) <= step]
        text = "".join(json.dumps(e, ensure_ascii=False) + "\n" for e in kept)
        write_bytes(self.path / "events.jsonl", text.encode("utf-8"))

    # Parameters and results

    def save_checkpoint(self, step: int, adapter: dict[str, "Tensor"]) -> None:
        """Write the adapter of a step; about 200 kB."""
        from ueo_core.models.adapted_clip import save_adapter

        about = {"step": step, "digest": _digest(adapter)}
        save_adapter(self._checkpoint_path(step), adapter, about)

    def _checkpoint_path(self, step: int) -> Path:
        return self.path / "checkpoints" / f"{step:06d}.safetensors"

    def checkpoints(self) -> list[int]:
        """The steps that have a checkpoint, ascending. Files of other names are not checkpoints."""
        found = (p.stem for p in (self.path / "checkpoints").glob("*.safetensors"))
        return sorted(int(stem) for stem in found if stem.isascii() and stem.isdigit())

    def checkpoint(self, step: int) -> dict[str, "Tensor"]:
        """The adapter of a step that `checkpoints` lists; UserError if it is damaged."""
        from ueo_core.models.adapted_clip import read_adapter

        path = self._checkpoint_path(step)
        adapter, about = read_adapter(path)
        # Runs of earlier versions have no digest.
        if about.get("digest", wanted := _digest(adapter)) != wanted:
            raise UserError(f"Checkpoint “{path}”: its content has changed; use an earlier one.")
        return adapter

    def newest_checkpoint(self) -> "tuple[int, dict[str, Tensor], list[int]] | None":
        """The newest readable checkpoint: step, adapter, and later steps that are damaged.

        None if no checkpoint can be read.
        """
        damaged: list[int] = []
        for step in reversed(self.checkpoints()):
            try:
                return step, self.checkpoint(step), damaged
            except UserError as error:
                log.warning("%s", error)
                damaged.append(step)
        return None

    def save_tensors(self, name: str, tensors: dict[str, "Tensor"]) -> None:
        """Write `name`.safetensors, completely or not at all."""
        arrays = {k: v.detach().cpu().numpy() for k, v in tensors.items()}
        write_tensors(self.path / f"{name}.safetensors", arrays)

    def tensors(self, name: str) -> "dict[str, Tensor] | None":
        """Read `name`.safetensors; None if there is none yet, or a damaged one."""
        from torch import from_numpy

        path = self.path / f"{name}.safetensors"
        try:
            return {k: from_numpy(v) for k, v in read_tensors(path)[0].items()}
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read: %s", path, error)
            return None


def _digest(adapter: dict[str, "Tensor"]) -> str:
    """A hash of an adapter's values: safetensors itself has no check of them."""
    found = hashlib.sha256()
    for name in sorted(adapter):
        found.update(name.encode())
        found.update(adapter[name].detach().float().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
