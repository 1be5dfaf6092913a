"""The drawer: one widget for every setting, with its reason."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from ui.common.learn_link import why


def key(field: str) -> str:
    """The session-state key of a setting's widget."""
    return f"adapt.field.{field}"


def _number(
    label: str, help: str, low, high, step, form: str | None = None
) -> Callable[[str], Any]:
    return lambda field: st.number_input(
        label, min_value=low, max_value=high, step=step, format=form, key=key(field), help=help
    )


def _choice(label: str, help: str, options: dict[str, str]) -> Callable[[str], Any]:
    return lambda field: st.selectbox(
        label, list(options), format_func=options.get, key=key(field), help=help
    )


# Every field of Settings but backbone, pretrained and method, which have their own places.
FIELDS: dict[str, Callable[[str], Any]] = {
    "epochs": _number(
        "Passes over the images (epochs)",
        "The rate falls to zero over all of them, so fewer passes also mean a faster fall.",
        1,
        10_000,
        1,
    ),
    "batch_size": _number(
        "Images a step (batch size)",
        "UEO compares the images of a batch with each other: another size is another method, not "
        "only another speed. Batches are made as even as can be.",
        2,
        65_536,
        1,
    ),
    "lr": _number(
        "Learning rate",
        "SGD's peak for prompt and norms alike, cosine to zero. OpenAI's CLIP wants 0.0001, the "
        "small teaching models far more; too much of it makes the answers collapse.",
        0.0,
        100.0,
        1e-4,
        "%.6f",
    ),
    "trade": _number(
        "λ, weight of the marginal entropy",
        "How hard the mean prediction is spread over the classes. 0 leaves only the sharpening.",
        0.0,
        100.0,
        0.1,
        "%.2f",
    ),
    "weight_temperature": _choice(
        "Temperature of the sample weights",
        "An image's weight is its zero-shot confidence, the largest softmax. With the logit scale "
        "the doubtful get small weights; without it all weights are nearly equal, and UEO is InfoMax.",
        {
            "scaled": "CLIP's logit scale (the paper)",
            "released": "none, T = 1 (the released script)",
        },
    ),
    "prompt": lambda field: st.text_input(
        "Start of the prompt",
        key=key(field),
        help="Its tokens become the context vectors that train; a class name and a full stop follow.",
    ),
    "trained": _choice(
        "What trains",
        "The method trains both; one part alone is an ablation.",
        {
            "both": "prompt and norms",
            "prompt": "prompt only",
            "affine": "norms only",
            "as-released": "as the released script (without RN50's downsampling norms)",
        },
    ),
    "crop_scale": lambda field: st.slider(
        "Smallest crop, share of the area",
        0.05,
        1.0,
        step=0.05,
        key=key(field),
        help="A training view keeps at least this share of an image. 1 keeps all of it.",
    ),
    "flip": lambda field: st.toggle(
        "Mirror half of the views",
        key=key(field),
        help="Off where left and right mean something.",
    ),
    "guard": lambda field: st.toggle(
        "Look for harm at the end",
        key=key(field),
        help="Shows some images again in other crops. Where the adapted model is less sure of them than "
        "zero-shot was, a point between the two, or zero-shot itself, is offered for use.",
    ),
    "seed": _number(
        "Seed", "Order of the images, crops and mirroring follow from it.", 0, 2**32 - 1, 1
    ),
    "device": _choice(
        "Device",
        "Automatic takes CUDA, then Apple's GPU, then the CPU.",
        {"auto": "automatic", "cpu": "CPU", "cuda": "CUDA", "mps": "Apple GPU (MPS)"},
    ),
    "chunk": lambda field: st.number_input(
        "Images in memory at once",
        min_value=1,
        max_value=65_536,
        step=1,
        key=key(field),
        value=None,
        placeholder="as many as fit",
        help="Fewer need less memory and up to a third more time; the result stays exact. It is "
        "chosen from this machine's memory, and halved by itself when that runs out.",
    ),
    "mode": _choice(
        "Mode",
        "Quick trains the prompt and the norms behind the tower's last frozen point, on activations "
        "that are computed once, without crops or mirroring: one pass over the images instead of one "
        "an epoch, for a part of the gain.",
        {"full": "full (the method)", "quick": "quick (one pass, weaker)"},
    ),
    "precision": _choice(
        "Precision of the training steps",
        "The matrix products of a step; loss, norms and context vectors are always float32, and so is "
        "all that is measured. bfloat16 takes less than half the time where the processor has it.",
        {"auto": "bfloat16 where it pays", "float32": "float32", "bfloat16": "bfloat16"},
    ),
}


WHY = {"trade": "trade", "weight_temperature": "temperature", "trained": "moved"}  # topics of Learn


def draw() -> dict[str, Any]:
    """All widgets in three columns. → value by field"""
    columns, values = st.columns(3), {}
    for number, (field, widget) in enumerate(FIELDS.items()):
        with columns[number % 3]:
            values[field] = widget(field)
            if field in WHY:
                why(WHY[field])
    return values
