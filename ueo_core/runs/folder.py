"""A run's folder: settings, state, events, checkpoints and results, readable at any time.

Files are written under another name and renamed; events are appended line by line. After a kill
the last line may be incomplete, so readers skip it.
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

if TYPE_CHECKING:  # pages list runs without loading torch
    from torch import Tensor

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
        return json.loads((self.path / "config.json").read_text(encoding="utf-8"))

    @property
    def settings(self) -> Settings:
        """The settings at the start, with the extensions since then."""
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
        """Set the state and these details without a check; other details are kept. → the whole state"""
        with _CHANGING:
            try:
                old = self.state
            except (OSError, ValueError):
                old = {"step": 0, "steps": None, "phase": "", "reason": "", "created": time.time()}
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
        """All events in order; stops at an incomplete line."""
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
        """Remove the events after `step`, and an incomplete line: a resumed run writes them again."""
        kept = [e for e in self.events() if e.get("step", 0) <= step]
        text = "".join(json.dumps(e, ensure_ascii=False) + "\n" for e in kept)
        write_bytes(self.path / "events.jsonl", text.encode("utf-8"))

    # Parameters and results

    def save_checkpoint(self, step: int, adapter: dict[str, "Tensor"]) -> None:
        """Write the adapter of a step; about 200 kB."""
        from ueo_core.models.adapted_clip import save_adapter

        save_adapter(self.path / "checkpoints" / f"{step:06d}.safetensors", adapter, {"step": step})

    def checkpoints(self) -> list[int]:
        """The steps that have a checkpoint, ascending."""
        return sorted(int(p.stem) for p in (self.path / "checkpoints").glob("*.safetensors"))

    def checkpoint(self, step: int) -> dict[str, "Tensor"]:
        """The adapter of a step that `checkpoints` lists."""
        from ueo_core.models.adapted_clip import read_adapter

        return read_adapter(self.path / "checkpoints" / f"{step:06d}.safetensors")[0]

    def save_tensors(self, name: str, tensors: dict[str, "Tensor"]) -> None:
        """Write `name`.safetensors, completely or not at all."""
        from safetensors.torch import save

        data = save({k: v.contiguous() for k, v in tensors.items()})
        write_bytes(self.path / f"{name}.safetensors", data)

    def tensors(self, name: str) -> "dict[str, Tensor] | None":
        """Read `name`.safetensors, or None if there is none yet."""
        from safetensors.torch import load_file

        path = self.path / f"{name}.safetensors"
        return load_file(path) if path.is_file() else None
