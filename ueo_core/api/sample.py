"""The built-in problem as files: something to try the interface on, without any download."""

from pathlib import Path
from typing import NamedTuple

from ueo_core.api.arguments import speaks_of_arguments
from ueo_core.drawings.sample import DEFAULT_SHIFT, problem, write_sample


class Sample(NamedTuple):
    """Where the built-in problem was written."""

    pool: Path  # folder of unlabeled images
    test: Path  # folder with one subfolder per class; some are none of `classes`
    classes: list[str]


@speaks_of_arguments
def sample_problem(folder: str | Path, shift: str = DEFAULT_SHIFT, seed: int = 0) -> Sample:
    """Draw the built-in problem into an empty or new folder, in about ten seconds.

    shift: closed, partial, open or open-partial. ValueError for a folder that holds something.
    """
    drawn, out = problem(shift, seed), Path(folder)
    write_sample(out, drawn)
    return Sample(out / "pool", out / "test", list(drawn.classes))
