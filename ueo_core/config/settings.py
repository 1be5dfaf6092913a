"""Every knob of an adaptation, in one dataclass, and the presets that fill it."""

from dataclasses import asdict, dataclass, fields, replace

from ueo_core.config.methods import METHODS
from ueo_core.utils.errors import UserError

# w_i = max softmax(z_i / T_w): `scaled` keeps CLIP's logit scale, as the paper writes it;
# `released` divides it away, as the released script does, and is InfoMax to a few percent.
WEIGHT_TEMPERATURES = ("scaled", "released")
# `as-released` leaves out norms whose name holds neither bn nor ln, as the released script does:
# the four of RN50's downsampling branches.
TRAINED_PARTS = ("both", "prompt", "affine", "as-released")
DEVICES = ("auto", "cpu", "cuda", "mps")
MODES = ("full", "quick")
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class Settings:
    """One run's settings; the defaults are the paper's (Liang et al., ICML 2024, Sec. 4).

    Rates fit OpenAI's CLIP weights; `for_backbone` gives those of the teaching models.
    """

    backbone: str = "drawings-resnet"  # Drawings model, open_clip name, or path of a config .json
    pretrained: str | None = (
        None  # open_clip tag or checkpoint file; None: the backbone's usual one
    )
    method: str = "ueo"  # a key of methods.METHODS
    epochs: int = 50  # passes over the pool
    batch_size: int = 64  # images a step; the loss is not additive, so this changes the method
    lr: float = 1e-4  # SGD's peak for prompt and affine alike, cosine to 0 over all steps
    trade: float = 1.0  # λ: weight of the entropy of the mean prediction
    weight_temperature: str = "scaled"  # one of WEIGHT_TEMPERATURES
    prompt: str = "a photo of a"  # initialises the context vectors, one a token
    trained: str = "both"  # one of TRAINED_PARTS; one part alone is an ablation
    crop_scale: float = 0.5  # smallest share of the area that a training crop keeps; 1: no crop
    flip: bool = True  # mirror half of the training views
    seed: int = 0  # order of the images, crops and flips
    device: str = "auto"  # one of DEVICES; auto: CUDA, then MPS, then CPU
    chunk: int | None = None  # images in memory at once (exact two-pass step); None: as many as fit
    # One of MODES. quick: only the prompt and the norms behind the tower's last frozen point
    # train, on activations of the plain view that are computed once: another, weaker method.
    mode: str = "full"
    precision: str = "float32"  # of the training steps' matrix products; one of PRECISIONS
    guard: bool = (
        True  # see whether the last epoch looks worse than zero-shot, and offer the better
    )
    # Later legs of a finished run that was trained on: (steps done before, epochs). Each has a
    # cosine of its own from `lr` to 0; see schedule.legs.
    extensions: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        """Raise a UserError for a value that no run can have."""
        _one_of("method", self.method, METHODS)
        _one_of("weight temperature", self.weight_temperature, WEIGHT_TEMPERATURES)
        _one_of("trained part", self.trained, TRAINED_PARTS)
        _one_of("device", self.device, DEVICES)
        _one_of("mode", self.mode, MODES)
        _one_of("precision", self.precision, PRECISIONS)
        _in_range("epochs", self.epochs, 1, 10_000)
        _in_range("batch size", self.batch_size, 2, 65_536)
        _in_range("learning rate", self.lr, 0, 100)
        _in_range("λ (trade)", self.trade, 0, 100)
        _in_range("crop scale", self.crop_scale, 0.05, 1)
        _in_range("seed", self.seed, 0, 2**32 - 1)
        if self.chunk is not None:
            _in_range("chunk", self.chunk, 1, 65_536)
        for _, epochs in self.extensions:
            _in_range("number of further epochs", epochs, 1, 10_000)

    @classmethod
    def for_backbone(cls, backbone: str, **chosen) -> "Settings":
        """The backbone's preset, with every value that is not None in `chosen` put over it."""
        preset = DRAWINGS_PRESETS.get(backbone, {})
        chosen = {k: v for k, v in chosen.items() if v is not None}
        return cls(**(preset | chosen | {"backbone": backbone}))

    def changed(self, **values) -> "Settings":
        """A copy with some values replaced, checked again."""
        return replace(self, **values)

    def to_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict) -> "Settings":
        """Settings from a run's config; names that this version does not know are left out."""
        known = {f.name for f in fields(cls)}
        chosen = {k: v for k, v in data.items() if k in known}
        chosen["extensions"] = tuple((a, b) for a, b in chosen.get("extensions", ()))
        return cls(**chosen)


# The teaching models are small, so they want far larger rates than CLIP; layer norms move less at
# a given rate than batch norms. Chosen on seeds below 505 of the built-in problem's default: at a
# third of these rates InfoMax is level with UEO, at twice the rates UEO itself breaks now and then.
DRAWINGS_PRESETS = {
    "drawings-resnet": {"epochs": 10, "lr": 0.6},
    "drawings-vit": {"epochs": 14, "lr": 3.0},
}


def _one_of(what: str, value: str, allowed) -> None:
    if value not in allowed:
        raise UserError(f"The {what} “{value}” is not known; choose one of {', '.join(allowed)}.")


def _in_range(what: str, value: float, low: float, high: float) -> None:
    # `not (…)` also refuses NaN, which compares false with everything.
    if isinstance(value, bool) or not (low <= value <= high):
        raise UserError(
            f"The {what} {value} is out of range; choose a value from {low:g} to {high:g}."
        )
