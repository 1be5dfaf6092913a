"""Where each "why?" of the other pages leads: a place of Learn, as query parameters. No torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Why:
    """A question that a figure or a setting raises, and the place of Learn that answers it."""

    question: str
    link: dict[str, str]  # what `ueo_core.learn.parse` reads


WHY: dict[str, Why] = {
    "strangers": Why("What is an unknown image?", {"scene": "strangers"}),
    "hills": Why("What are these hills, and what is the AUC?", {"scene": "hills"}),
    "loss": Why("Why two terms?", {"scene": "term-two"}),
    "trade": Why("What does λ do?", {"view": "triangle", "preset": "lambda"}),
    "weights": Why("What are the weights for?", {"scene": "weights"}),
    "temperature": Why("What does the temperature do to the weights?", {"view": "image"}),
    "moved": Why("What is trained, and how little is it?", {"scene": "moved"}),
    "methods": Why("How do the methods differ?", {"view": "triangle"}),
    "worse": Why("When does it go wrong?", {"scene": "wrong"}),
}
