"""Predict first: the question that a scene asks before it shows its result. No torch here.

Each option names the outcomes that it stands for; `ueo_core.learn.happened` computes the outcome.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """One prediction that a viewer can choose."""

    text: str
    outcomes: tuple[str, ...]  # of the scene's function in `ueo_core.learn.happened`


@dataclass(frozen=True)
class Question:
    """What the viewer predicts before the result of a scene is shown."""

    text: str
    options: tuple[Option, ...]
    show: str = ""  # label of the button that shows the result; empty: playing shows it

    def index_of(self, outcome: str) -> int | None:
        """Index of the option that stands for an outcome; None if no option does."""
        found = [i for i, option in enumerate(self.options) if outcome in option.outcomes]
        return found[0] if found else None


# Outcomes of the triangle are keys of `ueo_core.learn.outcomes.OUTCOMES`.
_ENDS = (
    Option("all in one corner", ("collapse",)),
    Option("in the corners, unknown too", ("unknown_confident", "known_confident")),
    Option("unknown between the corners", ("unknown_less_confident",)),
)
QUESTIONS: dict[str, Question] = {  # scene → question; the other scenes have none
    "guess": Question(
        "Some drawings belong to none of the classes. What does CLIP predict for them?",
        (
            Option("no class", ("no_class",)),
            Option("a class, mostly below 50 %", ("unsure",)),
            Option("a class, mostly above 50 %", ("sure",)),
        ),
        "Show them",
    ),
    "hills": Question(
        "Where is the distribution of the unknown drawings?",
        (
            Option("lower, without overlap", ("apart",)),
            Option("lower, with a large overlap", ("overlap",)),
            Option("in the same place", ("same",)),
        ),
        "Show it",
    ),
    "term-one": Question("Where do the images end?", _ENDS),
    "term-two": Question("Where do the images end with InfoMax?", _ENDS),
    "weights": Question("Where do the images end with UEO?", _ENDS),
    "live": Question(
        "There are no labels. How does the AUC change?",
        (
            Option("it rises", ("rises",)),
            Option("it stays the same", ("same",)),
            Option("it falls", ("falls",)),
        ),
    ),
    "moved": Question(
        "How many of the parameters of ViT-B/16 are trained?",
        (
            Option("about 1 of 10", ("tenth",)),
            Option("about 1 of 100", ("hundredth",)),
            Option("less than 1 of 1,000", ("thousandth",)),
        ),
        "Show them",
    ),
    "wrong": Question("Where do the images end with UEO, with these settings?", _ENDS),
}
