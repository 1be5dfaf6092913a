"""Every setting of an adaptation, in one dataclass.

The options of the command line, the fields of the Adapt page, the checks of values, the equivalent
command and the differences on Compare are derived from it: a setting is added here and nowhere else.
"""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from ueo_core.config.class_texts import split_templates
from ueo_core.config.methods import METHODS
from ueo_core.config.setting_fields import Setting, setting, settings_of
from ueo_core.utils.errors import UserError


@dataclass(frozen=True)
class Settings:
    """One run's settings; the defaults are the paper's (Liang et al., ICML 2024, Sec. 4).

    Rates fit OpenAI's CLIP weights; `for_backbone` gives those of the teaching models.
    """

    backbone: str = setting(
        "drawings-resnet",
        str,
        "Backbone",
        "drawings-resnet, drawings-vit, an open_clip model name, the path of an open_clip config (.json), or "
        "a model of the Hugging Face Hub: hf-hub:owner/name, or the folder of a copy",
        on_page=False,
    )
    pretrained: str | None = setting(
        None,
        str,
        "Weights",
        "An open_clip tag or a checkpoint file (safetensors).",
        empty="the usual ones of the backbone",
        on_page=False,
    )
    method: str = setting(
        "ueo",
        str,
        "Method",
        "What is minimized.",
        compared=False,
        on_page=False,
    )
    epochs: int = setting(
        50,
        int,
        "Epochs",
        "Passes over the images. The rate falls to zero over all of them, so fewer epochs also mean a "
        "faster fall.",
        low=1,
        high=10_000,
        step=1,
    )
    batch_size: int = setting(
        64,
        int,
        "Images per step (batch size)",
        "UEO compares the images of a batch with each other: another size is another method, not only "
        "another speed. Batches are made as even as possible.",
        low=2,
        high=65_536,
        step=1,
    )
    lr: float | str = setting(
        1e-4,
        float,
        "Learning rate",
        "Peak rate of SGD for prompt and affine parameters alike, cosine to zero. A rate that is too low "
        "changes nothing, and one that is too high collapses the predictions. With auto, some rates are "
        "tried on the images and one is chosen without labels.",
        word="auto",
        word_title="Choose the learning rate on the images",
        low=0,
        high=100,
        step=1e-4,
        format="%.6f",
    )
    trade: float = setting(
        1.0,
        float,
        "λ, weight of the marginal entropy",
        "How strongly the mean prediction is spread over the classes. 0 leaves only the sharpening.",
        low=0,
        high=100,
        step=0.1,
        format="%.2f",
    )
    # w_i = max softmax(z_i / T_w): `scaled` keeps CLIP's logit scale, as the paper writes it;
    # `released` divides it away, as the released script does, and is InfoMax to a few percent.
    weight_temperature: str = setting(
        "scaled",
        str,
        "Temperature of the sample weights",
        "The weight of an image is its zero-shot confidence, the largest softmax. With the logit scale, "
        "uncertain images get small weights; without it all weights are nearly equal, and UEO is InfoMax.",
        choices={
            "scaled": "CLIP's logit scale (the paper)",
            "released": "none, T = 1 (the released script)",
        },
    )
    prompt: str = setting(
        "a photo of a",
        str,
        "Start of the prompt",
        "Its tokens become the context vectors that train; a class name and a full stop follow.",
    )
    templates: str = setting(
        "",
        str,
        "Templates of the class texts",
        "Texts with {} for the class name, separated by |, or openai for OpenAI's 80: their features are "
        "averaged. The context vectors still replace the start of the prompt alone.",
        empty="the start of the prompt, the name and a full stop",
    )
    # `as-released` leaves out layers whose name contains neither bn nor ln, as the released script does:
    # the four of RN50's downsampling branches.
    trained: str = setting(
        "both",
        str,
        "What trains",
        "The method trains prompt and affine parameters; one part alone is an ablation.",
        choices={
            "both": "prompt and affine",
            "prompt": "prompt only",
            "affine": "affine only",
            "as-released": "as the released script (without RN50's downsampling layers)",
        },
    )
    crop_scale: float = setting(
        0.5,
        float,
        "Smallest crop, share of the area",
        "A training view keeps at least this share of an image. 1 keeps all of it.",
        low=0.05,
        high=1,
        step=0.05,
        slider=True,
    )
    flip: bool = setting(
        True, bool, "Mirror half of the views", "Turn it off where left and right matter."
    )
    guard: bool = setting(
        True,
        bool,
        "Safety check at the end",
        "Compares the predictions on random crops of some images with those of zero-shot. Where the "
        "adapted model is less consistent, a blend of the two, or zero-shot itself, is recommended.",
        compared=False,
    )
    seed: int = setting(
        0,
        int,
        "Seed",
        "Order of the images, crops and mirroring follow from it.",
        low=0,
        high=2**32 - 1,
        step=1,
        compared=False,
    )
    device: str = setting(
        "auto",
        str,
        "Device",
        "Automatic takes CUDA, then an Apple GPU, then the CPU.",
        choices={
            "auto": "automatic",
            "cpu": "CPU",
            "cuda": "CUDA",
            "mps": "Apple GPU (MPS)",
        },
    )
    chunk: int | None = setting(
        None,
        int,
        "Images in memory at once",
        "Fewer need less memory and up to a third more time; the result stays exact. The number is "
        "chosen from the memory of this machine, and halved when that runs out.",
        low=1,
        high=65_536,
        step=1,
        empty="as many as fit",
    )
    mode: str = setting(
        "full",
        str,
        "Mode",
        "Quick trains the prompt and the normalization layers behind the last frozen point of the image "
        "tower, on activations that are computed once, without crops or mirroring: one pass over the "
        "images instead of one per epoch, for a part of the gain.",
        choices={"full": "full (the method)", "quick": "quick (one pass, weaker)"},
    )
    precision: str = setting(
        "auto",
        str,
        "Precision while training",
        "The matrix products of the steps and of the measurements between them; loss, normalization and "
        "context vectors are always float32, and so are the results of zero-shot, of the last epoch and of "
        "the recommended model. bfloat16 takes less than half the time where the hardware has it: automatic "
        "takes it on such a GPU, and on a CPU where a measurement of the model finds it faster.",
        choices={
            "auto": "bfloat16 where it pays",
            "float32": "float32",
            "bfloat16": "bfloat16",
        },
    )
    # Later legs of a finished run that was trained longer: (steps done before, epochs). Each has a
    # cosine of its own from `lr` to 0; see lr_schedule.legs.
    extensions: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        """Raise a UserError for a value that no run can have."""
        if self.method not in METHODS:  # not a fixed list here: a method is a row of METHODS
            raise UserError(
                f"Method: “{self.method}” is not known; choose one of {', '.join(METHODS)}."
            )
        split_templates(self.templates)
        for name, about in SETTINGS.items():
            same = name == about.title.lower()
            label = about.title if same else f"{about.title} ({name})"
            about.check(label, getattr(self, name))
        for _, epochs in self.extensions:
            SETTINGS["epochs"].check("Further epochs", epochs)

    @classmethod
    def for_backbone(cls, backbone: str, **chosen: Any) -> "Settings":
        """The backbone's preset, with every value that is not None in `chosen` put over it."""
        preset = DRAWINGS_PRESETS.get(backbone, {})
        chosen = {k: v for k, v in chosen.items() if v is not None}
        return cls(**(preset | chosen | {"backbone": backbone}))

    @property
    def automatic(self) -> bool:
        """Whether the learning rate is chosen on the images."""
        return self.lr == AUTO

    @property
    def rate(self) -> float:
        """The learning rate as a number; ValueError while it is still to be chosen."""
        if isinstance(self.lr, str):
            raise ValueError("the learning rate is still to be chosen")
        return self.lr

    def changed(self, **values: Any) -> "Settings":
        """A copy with some values replaced, checked again."""
        return replace(self, **values)

    def to_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict) -> "Settings":
        """Settings from a run's config; names that this version does not know are left out."""
        known = {f.name for f in fields(cls)}
        chosen = {k: v for k, v in data.items() if k in known}
        try:
            chosen["extensions"] = tuple((int(a), b) for a, b in chosen.get("extensions", ()))
        except (TypeError, ValueError):
            raise UserError(
                f"Further epochs: {str(data['extensions'])[:60]} are no pairs of steps and epochs; use "
                "settings as a run has written them."
            ) from None
        return cls(**chosen)


SETTINGS: dict[str, Setting] = settings_of(Settings)
AUTO = "auto"  # in place of a learning rate
DEVICES, MODES, PRECISIONS, TRAINED_PARTS, WEIGHT_TEMPERATURES = (
    tuple(SETTINGS[name].choices or ())
    for name in ("device", "mode", "precision", "trained", "weight_temperature")
)

# The teaching models are small, so they need far larger rates than CLIP; layer normalization changes
# less at a given rate than batch normalization. Chosen on seeds below 505 of the default built-in
# problem: at a third of these rates InfoMax equals UEO, at twice the rates UEO sometimes fails.
DRAWINGS_PRESETS = {
    "drawings-resnet": {"epochs": 10, "lr": 0.6},
    "drawings-vit": {"epochs": 14, "lr": 3.0},
}
