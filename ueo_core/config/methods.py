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
    loss: str = ""  # a baseline's loss in words; empty where it is the two terms of UEO
    on_features: bool = False  # works on cached features; else it is a loss for the loop
    own_score: bool = False  # has an OOD score of its own, which is measured in place of MCM
    needs_start: bool = False  # its loss needs the pool's zero-shot features
    on_device: bool = True  # its loss reads nothing back and chooses no shape by a value
    memory: bool = False  # has state outside the adapter, so that a run cannot be resumed
    settings: Mapping[str, float] = field(default_factory=dict)  # its paper's, where not UEO's

    def weights(self, confidence: "Tensor") -> "Tensor":
        """The (N,) weights of this method, from the zero-shot confidences."""
        return confidence if self.weighted else confidence.new_ones(confidence.shape)

    def trade(self, trade: float) -> float:
        """The λ in force."""
        return trade if self.marginal else 0.0

    @property
    def runnable(self) -> bool:
        """Whether a run can use it: trained by the loop, and complete in its adapter."""
        return not self.on_features and not self.memory


_UEO = "Liang et al., Realistic Unsupervised CLIP Fine-tuning with Universal Entropy Optimization, ICML 2024"

METHODS: dict[str, Method] = {
    "ueo": Method(
        "UEO",
        "Sharpens confident predictions and spreads the mean prediction of the uncertain ones.",
        _UEO,
        "ueo_core.methods.ueo",
        weighted=True,
        marginal=True,
    ),
    "infomax": Method(
        "InfoMax",
        "The same two terms with equal weights for all images, unknown ones included.",
        "Shi & Sha, Information-Theoretical Learning of Discriminative Clusters for Unsupervised "
        "Domain Adaptation, ICML 2012",
        "ueo_core.methods.ueo",
        marginal=True,
    ),
    "entmin": Method(
        "EntMin",
        "Only sharpens every prediction; without a second term it can collapse onto few classes.",
        "Grandvalet & Bengio, Semi-supervised Learning by Entropy Minimization, NeurIPS 2004",
        "ueo_core.methods.ueo",
    ),
    "unient": Method(
        "UniEnt",
        "Splits each batch into known and unknown with two Gaussians; sharpens the known, flattens the unknown.",
        "Gao, Zhang & Liu, Unified Entropy Optimization for Open-Set Test-Time Adaptation, CVPR 2024",
        "ueo_core.methods.unient",
        loss="the entropy of the images classified as known, minus half that of the others and half the "
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
        "Moves each image towards its nearest neighbor or prompt, and separates low entropies from high ones.",
        "Saito et al., Universal Domain Adaptation through Self Supervision, NeurIPS 2020",
        "ueo_core.methods.dance",
        loss="the entropy of each image's similarity to its neighbors, and the separation of entropies",
        needs_start=True,
        on_device=False,
        memory=True,
    ),
    "batclip": Method(
        "BATCLIP",
        "Takes every prediction as a class: sharpens it, and moves the classes' means to their text and apart. "
        "For pools without unknown images; online in its paper, here over the pool in epochs and then frozen.",
        "Maharana et al., BATCLIP: Bimodal Online Test-Time Adaptation for CLIP, ICCV 2025",
        "ueo_core.methods.batclip",
        loss="the mean entropy, minus the projection of each class's mean on its text and minus the distances "
        "of the means from each other",
    ),
    "rosita": Method(
        "ROSITA",
        "Moves reliable known images towards each other and away from reliable unknown ones, and the reverse; "
        "image by image in its paper, here over the pool in epochs and then frozen.",
        "Sreenivas & Biswas, Efficient Open Set Single Image Test Time Adaptation of Vision Language Models, "
        "TMLR 2025",
        "ueo_core.methods.rosita",
        loss="the cross-entropy of reliable known images with their predictions, and the contrast of reliable "
        "known and unknown images",
        on_device=False,
        memory=True,
    ),
    "upl": Method(
        "UPL",
        "Uses the 16 most confident predictions of each class as labels and trains the prompt on them.",
        "Huang, Chu & Wei, Unsupervised Prompt Learning for Vision-Language Models, arXiv 2204.03649, 2022",
        "ueo_core.methods.upl",
        on_features=True,
        settings={"lr": 2e-3, "epochs": 50, "batch_size": 32},
    ),
    "transclip": Method(
        "TransCLIP",
        "Fits a Gaussian to every class and smooths predictions over neighbors; closed form, nothing is trained.",
        "Zanella, Gérin & Ben Ayed, Boosting Vision-Language Models with Transduction, NeurIPS 2024",
        "ueo_core.methods.transclip",
        on_features=True,
    ),
    "stata": Method(
        "StatA",
        "TransCLIP with a Gaussian of its own for every class, which the class's text holds in place: a class "
        "without images stays there.",
        "Zanella et al., Realistic Test-Time Adaptation of Vision-Language Models, CVPR 2025",
        "ueo_core.methods.stata",
        on_features=True,
    ),
    "adand": Method(
        "AdaND",
        "Trains a detector of unknown images on zero-shot's own decisions, over the pool in passes and then "
        "frozen; classes stay zero-shot's.",
        "Cao et al., Noisy Test-Time Adaptation in Vision-Language Models, ICLR 2025",
        "ueo_core.methods.adand",
        on_features=True,
        own_score=True,
        settings={"batch_size": 128},
    ),
    "cola": Method(
        "COLA",
        "Trains a small network on cached features with class-balanced pseudo-labels, over the pool in passes "
        "and then frozen.",
        "Zhang et al., COLA: Context-aware Language-driven Test-time Adaptation, IEEE TIP 2025",
        "ueo_core.methods.cola",
        on_features=True,
        settings={"epochs": 15, "batch_size": 128},
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
        "UEO, no marginal term", "ueo", {"trade": 0.0}, about="The mean prediction is not spread."
    ),
    "ueo-quick": Variant(
        "UEO, quick mode",
        "ueo",
        {"mode": "quick"},
        about="Prompt and last affine parameters only, on activations computed once, without crops.",
    ),
    "ueo-bfloat16": Variant(
        "UEO, bfloat16",
        "ueo",
        {"precision": "bfloat16"},
        about="Matrix products of the training steps in bfloat16.",
    ),
    "ueo-oracle": Variant(
        "UEO, oracle weights",
        "ueo",
        oracle=True,
        about="Weights 1[ID] + 0.001 from the labels: an upper bound that needs labels.",
    ),
}
# What the paper's tables hold, and two closely related baselines. InfoMax is UEO without weights.
DEFAULT_VARIANTS = (ZERO_SHOT, *METHODS)


def oracle_weights(known: "Tensor") -> "Tensor":
    """w = 1[ID] + 1e-3, the paper's upper bound. known: (N,) bool, from labels → (N,) float32

    Only a protocol, which has labels to score with, may call this; no run does.
    """
    return known.float() + 1e-3
