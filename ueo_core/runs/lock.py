"""The right to carry a run out: one process has it, and loses it however it ends."""

from contextlib import ExitStack
from pathlib import Path

from ueo_core.utils.errors import UserError
from ueo_core.utils.files import exclusive

NAME = "claim"  # a file in the run's folder; its lock counts, its content is nothing


class RunLock:
    """Held from queueing a run until it has ended; UserError while another process holds it."""

    def __init__(self, folder: Path):
        self._held = ExitStack()
        if not self._held.enter_context(exclusive(folder / NAME, 0.2)):
            self._held.close()
            raise UserError(
                f"Run “{folder.name}”: another process is carrying it out (a command line or a second "
                "app); steer it there, or end that process first."
            )

    def release(self) -> None:
        """Let others have it."""
        self._held.close()

    def __enter__(self) -> "RunLock":
        return self

    def __exit__(self, *_) -> None:
        self.release()


def run_locked(folder: Path) -> bool:
    """Whether some process, this one included, carries the run out or has it in its queue."""
    with exclusive(folder / NAME, 0) as got:
        return not got
