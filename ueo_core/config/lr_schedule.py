"""Which steps a run takes and at what rate. No torch here: pages and the queue need it at once."""

import math
from dataclasses import dataclass

from ueo_core.config.settings import Settings


def split_epoch(n: int, batch_size: int) -> list[int]:
    """Sizes of an epoch's batches: as even as possible, none larger than batch_size.

    A short last batch would weigh its few images against each other alone, and at one
    image the loss has no gradient; so the images are spread evenly instead.
    """
    count = math.ceil(n / batch_size)
    return [n // count + (i < n % count) for i in range(count)]


@dataclass(frozen=True)
class Leg:
    """`length` steps from step `first` on, planned under one cosine from the peak rate to 0."""

    first: int
    length: int


def legs(n: int, settings: Settings) -> list[Leg]:
    """The legs of a run over n images: the first, then one for every extension.

    An extension begins where the run had ended, early or not, and takes over from the leg
    before: what that had still planned is dropped, and the rate begins at its peak again.
    Order and augmentation continue as if nothing had happened.
    """
    per_epoch = len(split_epoch(n, settings.batch_size))
    plan = ((0, settings.epochs), *settings.extensions)
    return [Leg(first, epochs * per_epoch) for first, epochs in plan]


def steps_in_all(n: int, settings: Settings) -> int:
    """How many optimizer steps a run over n images takes."""
    last = legs(n, settings)[-1]
    return last.first + last.length


def cosine(step: int, steps: int, peak: float) -> float:
    """From `peak` to 0, stepped per iteration; `step` counts the steps already done."""
    return peak * (1 + math.cos(math.pi * step / steps)) / 2


def learning_rate(step: int, n: int, settings: Settings) -> float:
    """The rate of the step after `step` others, by the leg that it belongs to."""
    leg = next(leg for leg in reversed(legs(n, settings)) if step >= leg.first)
    return cosine(step - leg.first, leg.length, settings.rate)


def images_seen(step: int, n: int, batch_size: int) -> int:
    """Images that the first `step` steps have trained on, repeats included."""
    sizes = split_epoch(n, batch_size)
    epochs, place = divmod(step, len(sizes))
    return epochs * n + sum(sizes[:place])
