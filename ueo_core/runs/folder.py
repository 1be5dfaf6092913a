"""A run's folder: its settings, state, events, checkpoints and results, readable at any moment.

Whole files are written beside and renamed into place; events are appended a line at a
time, and a torn last line is what a reader may find after a kill, so it is passed over.
"""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ueo_core.config.settings import Settings
from ueo_core.runs.states import next_state
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import write_bytes, write_json

if TYPE_CHECKING:  # pages list runs before torch is loaded
    from torch import Tensor

# A click and the worker may change a run's state at the same moment: one after the other.
_CHANGING = threading.RLock()


class RunFolder:
    """One run on disk. Opening costs nothing; `create` makes a new one."""

    def __init__(self, path: Path):
        self.path = Path(path)

    @classmethod
    def create(cls, path: Path, config: dict, labels: dict) -> "RunFolder":
        """Make the folder of a new run.

        config: settings, classes and image sets as plain data; labels: label names by
        set (`pool`, `holdout`), None where there are none, kept in a file of their own
        that only scoring reads. UserError when the folder holds a run already.
        """
        folder = cls(path)
        if (folder.path / "config.json").exists():
            raise UserError(
                f"Run folder “{path}”: it already holds a run; choose another or remove it."
            )
        try:
            (folder.path / "checkpoints").mkdir(parents=True, exist_ok=True)
            write_json(folder.path / "labels.json", labels, indent=1)
            folder.set_state("queued")
            write_json(
                folder.path / "config.json", config, indent=1
            )  # last: its presence makes a run
        except OSError as error:
            raise UserError(
                f"Run folder “{path}”: it cannot be written ({error.strerror}); choose another place."
            ) from error
        return folder

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """An existing run; UserError when there is none."""
        folder = cls(path)
        if not (folder.path / "config.json").is_file():
            raise UserError(f"Run “{path}”: there is no run in that folder; check the path.")
        return folder

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def config(self) -> dict:
        return json.loads((self.path / "config.json").read_text(encoding="utf-8"))

    @property
    def settings(self) -> Settings:
        """As the run was started, with the extensions it has had since."""
        later = {k: v for k, v in self.state.items() if k == "extensions"}
        return Settings.from_json(self.config["settings"] | later)

    def labels(self) -> dict:
        """Label names for scoring only: {"pool": [...] | None, "holdout": [...] | None}."""
        return json.loads((self.path / "labels.json").read_text(encoding="utf-8"))

    # State

    @property
    def state(self) -> dict:
        """{"state", "phase", "reason", "step", "steps", "updated", …} as last written."""
        return json.loads((self.path / "state.json").read_text(encoding="utf-8"))

    def set_state(self, state: str, **details) -> dict:
        """Write a state over the old one's details, whatever that was. → the whole state"""
        with _CHANGING:
            try:
                old = self.state
            except (OSError, ValueError):
                old = {"step": 0, "steps": None, "phase": "", "reason": "", "created": time.time()}
            new = {**old, **details, "state": state, "updated": time.time()}
            write_json(self.path / "state.json", new, indent=1)
        return new

    def move(self, cause: str, **details) -> dict:
        """Go to the state that the table gives; UserError where it gives none. → the whole state"""
        with _CHANGING:
            return self.set_state(next_state(self.state["state"], cause), **details)

    def update(self, **details) -> dict:
        """Change details and leave the state as it is. → the whole state"""
        with _CHANGING:
            return self.set_state(self.state["state"], **details)

    # Events

    def append(self, event: dict) -> None:
        """Add one event; on disk before this returns to the operating system's care."""
        with open(self.path / "events.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(event, ensure_ascii=False) + "\n")

    def events(self) -> Iterator[dict]:
        """All events in order; stops at a torn line."""
        try:
            with open(self.path / "events.jsonl", encoding="utf-8") as file:
                for line in file:
                    try:
                        yield json.loads(line)
                    except ValueError:
                        return
        except FileNotFoundError:
            return

    def rewind(self, step: int) -> None:
        """Forget the events after `step`, and a torn line: a resumed run writes them again."""
        kept = [e for e in self.events() if e.get("step", 0) <= step]
        text = "".join(json.dumps(e, ensure_ascii=False) + "\n" for e in kept)
        write_bytes(self.path / "events.jsonl", text.encode())

    # Parameters and results

    def save_checkpoint(self, step: int, adapter: dict[str, "Tensor"]) -> None:
        """Keep the delta of a step; a few hundred kilobytes each."""
        from ueo_core.models.adapted_clip import save_adapter

        save_adapter(self.path / "checkpoints" / f"{step:06d}.safetensors", adapter, {"step": step})

    def checkpoints(self) -> list[int]:
        """The steps that have a checkpoint, ascending."""
        return sorted(int(p.stem) for p in (self.path / "checkpoints").glob("*.safetensors"))

    def checkpoint(self, step: int) -> dict[str, "Tensor"]:
        """The delta of a step that `checkpoints` lists."""
        from ueo_core.models.adapted_clip import read_adapter

        return read_adapter(self.path / "checkpoints" / f"{step:06d}.safetensors")[0]

    def save_tensors(self, name: str, tensors: dict[str, "Tensor"]) -> None:
        """Write `name`.safetensors, beside and renamed."""
        from safetensors.torch import save

        data = save({k: v.contiguous() for k, v in tensors.items()})
        write_bytes(self.path / f"{name}.safetensors", data)

    def tensors(self, name: str) -> "dict[str, Tensor] | None":
        """Read `name`.safetensors, or None where there is none yet."""
        from safetensors.torch import load_file

        path = self.path / f"{name}.safetensors"
        return load_file(path) if path.is_file() else None
