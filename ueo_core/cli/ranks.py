"""A command on several processes, which torchrun starts: the first one runs it, the others serve it."""

import contextlib
import signal
from collections.abc import Iterator

from ueo_core.training.ranks import Ranks, serve


@contextlib.contextmanager
def one_of_several() -> Iterator[bool]:
    """Whether this is the process that runs the command. The others have ended their work then."""
    ranks = Ranks()
    if ranks.rank == 0:
        try:
            yield True
        finally:
            ranks.close()
        return
    # Ctrl-C reaches all processes; these go on until the first one has written its checkpoint.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    serve(ranks)
    yield False
