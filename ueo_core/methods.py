"""The registry of methods that the loop can train. No torch here: pages list it at once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Method:
    """One way to adapt: which weights and which share of the marginal term go into the loss."""

    title: str
    about: str  # one sentence for a person
    weighted: bool  # confidence weights, else equal ones
    marginal: bool  # the −λ H(p̄) term, else none

    def weights(self, confidence: "Tensor") -> "Tensor":
        """The (N,) weights of this method, from the zero-shot confidences."""
        return confidence if self.weighted else confidence.new_ones(confidence.shape)

    def trade(self, trade: float) -> float:
        """The λ in force."""
        return trade if self.marginal else 0.0


METHODS: dict[str, Method] = {
    "ueo": Method(
        "UEO",
        "Sharpens confident images and spreads the mean prediction of the doubtful ones.",
        weighted=True,
        marginal=True,
    ),
    "infomax": Method(
        "InfoMax",
        "The same two terms with every image counting alike, strangers included.",
        weighted=False,
        marginal=True,
    ),
    "entmin": Method(
        "EntMin",
        "Only sharpens every prediction; with nothing to hold it back it collapses into few classes.",
        weighted=False,
        marginal=False,
    ),
}
