"""The lock of a run: at most one process executes it; the lock is released when the process ends."""

from contextlib import ExitStack
from pathlib import Path

from ueo_core.utils.errors import UserError
from ueo_core.utils.files import exclusive

NAME = "claim"  # a file in the run's folder; only its lock matters, it is empty


class RunLock:
    """Held from queueing a run until it has ended; UserError while another process holds it."""

    def __init__(self, folder: Path):
        self._held = ExitStack()
        if not self._held.enter_context(exclusive(folder / NAME, 0.2)):
            self._held.close()
            raise UserError(
                f"Run “{folder.name}”: another process is executing it (a command line or a second app); "
                "control it there, or end that process first."
            )

    def release(self) -> None:
        """Release the lock."""
        self._held.close()

    def __enter__(self) -> "RunLock":
        return self

    def __exit__(self, *_) -> None:
        self.release()


def run_locked(folder: Path) -> bool:
    """Whether a process, this one included, executes the run or has it in its queue."""
    with exclusive(folder / NAME, 0) as acquired:
        return not acquired
