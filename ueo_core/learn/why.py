"""The target in Learn of each "why?" link on the other pages, as query parameters. No torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Why:
    """A question about a figure or a setting, and the view of Learn that answers it."""

    question: str
    link: dict[str, str]  # query parameters that `ueo_core.learn.link.parse` reads


_PLAYED = {"played": "1"}  # who asks a question wants the answer, not a prediction
WHY: dict[str, Why] = {
    "unknown": Why("What are unknown images?", {"scene": "strangers"}),
    "scores": Why(
        "What do the score distributions and the AUC show?", {"scene": "hills", **_PLAYED}
    ),
    "loss": Why("Why does the loss have two terms?", {"scene": "term-two", **_PLAYED}),
    "trade": Why("What does λ do?", {"view": "triangle", "preset": "lambda"}),
    "weights": Why("What are the weights used for?", {"scene": "weights", **_PLAYED}),
    "temperature": Why("What does the temperature do to the weights?", {"view": "image"}),
    "trained": Why("Which parameters are trained, and how many?", {"scene": "moved", **_PLAYED}),
    "methods": Why("How do the methods differ?", {"view": "triangle"}),
    "failure": Why("When does UEO fail?", {"scene": "wrong", **_PLAYED}),
}
