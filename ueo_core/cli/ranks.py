"""A command on several processes, which torchrun starts: the first one runs it, the others serve it."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

from ueo_core.training.ranks import Ranks, current, serve
from ueo_core.training.shares import ENDED
from ueo_core.utils.errors import UserError

STOPS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def one_of_several(command: Callable[[], object]) -> Iterator[bool]:
    """Whether this is the process that runs the command. The others have ended their work then.

    command: the whole command, for the others where `all_take_part`. UserError where they do not find each other.
    """
    ranks = Ranks()
    if ranks.rank == 0:
        try:
            yield True
        finally:
            # What failed is told after this: a signal because of another process must not put its sentence there.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            with contextlib.suppress(
                RuntimeError
            ):  # one of them has died; what failed is told already
                ranks.close()
        return
    # Ctrl-C reaches all processes; these go on until the first one has written its checkpoint.
    for name in STOPS:
        signal.signal(name, signal.SIG_IGN)

    def quietly() -> None:
        # The first process tells progress and errors. Here only whole files are written: it may stop at once.
        for name in STOPS:
            signal.signal(name, signal.SIG_DFL)
        with (
            open(os.devnull, "w", encoding="utf-8") as nothing,
            contextlib.redirect_stderr(nothing),
        ):
            command()

    serve(ranks, quietly)
    yield False


def all_take_part() -> Ranks | None:
    """Let the other processes begin the same command; → all of them, None where this is the only one."""
    ranks = current()
    if ranks and ranks.rank == 0:

        def stop(number: int, frame: object) -> None:
            raise UserError(ENDED)

        signal.signal(signal.SIGTERM, stop)  # by torchrun, after another process has died
        ranks.tell({"work": "command"})
    return ranks
