"""Pieces of work on several processes, such as the rows of a protocol or parts of a prediction: who does which."""

import contextlib
from collections.abc import Iterator, Mapping

from ueo_core.training.ranks import Ranks
from ueo_core.utils.errors import UserError

ENDED = (
    "The command was stopped, or another of its processes has ended, perhaps for lack of memory; what is done is "
    "kept: give the same command again, with as many processes or fewer."
)


def shares(costs: Mapping[int, float], size: int) -> list[list[int]]:
    """Pieces by process, of about the same cost: the dearest first, each to who has least to do.

    costs: of each piece that is missing, by its number. → for each process the numbers of its pieces
    """
    found: list[list[int]] = [[] for _ in range(size)]
    loads = [0.0] * size
    for i in sorted(costs, key=lambda i: (-costs[i], i)):
        least = loads.index(min(loads))
        found[least].append(i)
        loads[least] += costs[i]
    return [sorted(own) for own in found]


def own_share(ranks: Ranks, costs: Mapping[int, float]) -> list[int]:
    """The numbers of this process's pieces. Rank 0 decides: only it has read what is there.

    costs: as in `shares`; of the other processes not used. RuntimeError in these, where rank 0 has ended.
    """
    if ranks.rank == 0:
        found = shares(costs, ranks.size)
        with _sentence():
            ranks.tell({"work": "shares", "shares": found})
        return found[0]
    told = ranks.hear()
    if told["work"] == "end":
        raise RuntimeError("Connection: the first process has ended")
    return told["shares"][ranks.rank]


def wait_for_all(ranks: Ranks) -> None:
    """Return when every process has done its pieces. An error where one of them has ended before."""
    if ranks.rank:
        return ranks.meet()
    with _sentence():
        ranks.meet()


@contextlib.contextmanager
def _sentence() -> Iterator[None]:
    """What rank 0 says of another process that has ended; the others end in silence (`ranks.serve`)."""
    try:
        yield
    except RuntimeError as error:
        raise UserError(ENDED) from error
