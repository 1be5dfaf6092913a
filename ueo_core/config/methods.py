"""The registry of methods, and of what a protocol compares. No torch here: pages list it at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Method:
    """One way to adapt; none sees a label, the number of classes present, or their shares."""

    title: str
    about: str  # one sentence for a person
    source: str  # the paper that proposes it
    module: str  # dotted name of its module; see methods.build_loss for what that defines
    weighted: bool = False  # confidence weights, else equal ones
    marginal: bool = False  # the −λ H(p̄) term, else none
    loss: str = ""  # a rival's loss in words; empty where it is the two terms of UEO
    on_features: bool = False  # works on cached features; else it is a loss for the loop
    needs_start: bool = False  # its loss wants the pool's zero-shot features
    on_device: bool = True  # its loss reads nothing back and chooses no shape by a value
    memory: bool = False  # keeps state beside the delta, so that a run cannot be resumed
    settings: Mapping[str, float] = field(default_factory=dict)  # its paper's, where not UEO's

    def weights(self, confidence: "Tensor") -> "Tensor":
        """The (N,) weights of this method, from the zero-shot confidences."""
        return confidence if self.weighted else confidence.new_ones(confidence.shape)

    def trade(self, trade: float) -> float:
        """The λ in force."""
        return trade if self.marginal else 0.0

    @property
    def runnable(self) -> bool:
        """Whether a run can hold it: made by the loop, and complete in its delta."""
        return not self.on_features and not self.memory


_UEO = "Liang et al., Realistic Unsupervised CLIP Fine-tuning with Universal Entropy Optimization, ICML 2024"

METHODS: dict[str, Method] = {
    "ueo": Method(
        "UEO",
        "Sharpens confident images and spreads the mean prediction of the doubtful ones.",
        _UEO,
        "ueo_core.methods.ueo",
        weighted=True,
        marginal=True,
    ),
    "infomax": Method(
        "InfoMax",
        "The same two terms with every image counting alike, strangers included.",
        "Shi & Sha, Information-Theoretical Learning of Discriminative Clusters for Unsupervised "
        "Domain Adaptation, ICML 2012",
        "ueo_core.methods.ueo",
        marginal=True,
    ),
    "entmin": Method(
        "EntMin",
        "Only sharpens every prediction; with nothing to hold it back it can collapse into few classes.",
        "Grandvalet & Bengio, Semi-supervised Learning by Entropy Minimization, NeurIPS 2004",
        "ueo_core.methods.ueo",
    ),
    "unient": Method(
        "UniEnt",
        "Splits each batch into known and strange with two Gaussians; sharpens the ones, blurs the others.",
        "Gao, Zhang & Liu, Unified Entropy Optimization for Open-Set Test-Time Adaptation, CVPR 2024",
        "ueo_core.methods.unient",
        loss="the entropy of the images taken for known, minus half that of the others and half the "
        "entropy of the mean",
        needs_start=True,
        on_device=False,
    ),
    "pouf": Method(
        "POUF",
        "Moves images and class prompts towards each other by optimal transport, and adds InfoMax.",
        "Tanwisuth et al., POUF: Prompt-Oriented Unsupervised Fine-tuning for Large Pre-trained "
        "Models, ICML 2023",
        "ueo_core.methods.pouf",
        loss="the cost of transport between images and prompts, plus 0.3 times InfoMax",
    ),
    "dance": Method(
        "DANCE",
        "Draws each image to its nearest neighbour or prompt, and parts clear entropies from unclear ones.",
        "Saito et al., Universal Domain Adaptation through Self Supervision, NeurIPS 2020",
        "ueo_core.methods.dance",
        loss="the entropy of each image's likeness to its neighbours, and the separation of entropies",
        needs_start=True,
        on_device=False,
        memory=True,
    ),
    "upl": Method(
        "UPL",
        "Takes the 16 surest images of each predicted class at their word and trains the prompt on them.",
        "Huang, Chu & Wei, Unsupervised Prompt Learning for Vision-Language Models, arXiv 2204.03649, 2022",
        "ueo_core.methods.upl",
        on_features=True,
        settings={"lr": 2e-3, "epochs": 50, "batch_size": 32},
    ),
    "transclip": Method(
        "TransCLIP",
        "Fits a Gaussian to every class and lets neighbours agree; closed form, nothing is trained.",
        "Zanella, Gérin & Ben Ayed, Boosting Vision-Language Models with Transduction, NeurIPS 2024",
        "ueo_core.methods.transclip",
        on_features=True,
    ),
}

RUNNABLE = tuple(name for name, method in METHODS.items() if method.runnable)


@dataclass(frozen=True)
class Variant:
    """One row of a comparison: a method, or an ablation of one."""

    title: str
    method: str | None  # a key of METHODS; None: zero-shot, nothing is done
    changes: Mapping[str, object] = field(default_factory=dict)  # settings that make the ablation
    oracle: bool = False  # weights from the labels: an upper bound, never a method
    about: str = ""  # of an ablation; a method has its own


ZERO_SHOT = "zero-shot"
VARIANTS: dict[str, Variant] = {
    ZERO_SHOT: Variant("Zero-shot", None, about="CLIP as it is."),
    **{name: Variant(method.title, name) for name, method in METHODS.items()},
    "ueo-released": Variant(
        "UEO, released weights",
        "ueo",
        {"weight_temperature": "released"},
        about="Weights of unscaled cosines, as the released script has them.",
    ),
    "ueo-prompt": Variant(
        "UEO, prompt only", "ueo", {"trained": "prompt"}, about="The image tower stays as it is."
    ),
    "ueo-affine": Variant(
        "UEO, affine only", "ueo", {"trained": "affine"}, about="The prompt stays as it is."
    ),
    "ueo-no-marginal": Variant(
        "UEO, no marginal term", "ueo", {"trade": 0.0}, about="Nothing spreads the mean prediction."
    ),
    "ueo-quick": Variant(
        "UEO, quick mode",
        "ueo",
        {"mode": "quick"},
        about="Prompt and last norms only, on activations computed once, without crops.",
    ),
    "ueo-bfloat16": Variant(
        "UEO, bfloat16",
        "ueo",
        {"precision": "bfloat16"},
        about="Half-width products in the training steps.",
    ),
    "ueo-oracle": Variant(
        "UEO, oracle weights",
        "ueo",
        oracle=True,
        about="Weights 1[ID] + 0.001 from the labels: the upper bound, which nobody without labels reaches.",
    ),
}
# What the paper's tables hold, and the two rivals nearest to UEO's idea. InfoMax is UEO without weights.
DEFAULT_VARIANTS = (ZERO_SHOT, *METHODS)


def oracle_weights(known: "Tensor") -> "Tensor":
    """w = 1[ID] + 1e-3, the paper's upper bound. known: (N,) bool, from labels → (N,) float32

    Only a protocol, which has labels to score with, may call this; no run does.
    """
    return known.float() + 1e-3
