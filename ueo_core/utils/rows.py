"""Row by row over matrices that need not be in memory: a block of them at a time."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

BLOCK = 2_000_000  # values of a block: 8 MB, and some 60 MB while a score is computed in float64


class Rows(Protocol):
    """A matrix (N, D) whose rows can be read: an array, or one that stays in its file."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    @overload
    def __getitem__(self, rows: int) -> NDArray: ...
    @overload
    def __getitem__(self, rows: slice | NDArray) -> NDArray: ...


def blocks(length: int, width: int) -> Iterator[slice]:
    """Slices of rows, at most `BLOCK` values each and at least one row; one empty one of no rows."""
    step = max(1, BLOCK // max(1, width))
    for start in range(0, max(1, length), step):
        yield slice(start, min(length, start + step))


def in_one_block(length: int, width: int) -> bool:
    """Whether `blocks` gives one."""
    return length * width <= BLOCK


def by_rows(compute: Callable[..., NDArray], *matrices: Any) -> NDArray:
    """What `compute` gives of the rows of matrices of the same length, a block at a time.

    compute: its result for a row depends on nothing but that row. matrices: (N, …) `Rows`, or what
    NumPy makes an array of. → (N, …)
    """
    given = [m if hasattr(m, "shape") else np.asarray(m) for m in matrices]
    width = sum(m.shape[1] if len(m.shape) > 1 else 1 for m in given)
    found = [compute(*(m[rows] for m in given)) for rows in blocks(len(given[0]), width)]
    return found[0] if len(found) == 1 else np.concatenate(found)


def largest(matrix: Any) -> NDArray[np.int64]:
    """The column with the largest value of every row, the first of equal ones. (N, D) → (N,)"""
    return by_rows(lambda rows: rows.argmax(1), matrix)
