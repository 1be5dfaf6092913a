"""The teacher's notes: for each scene its minutes, what to ask, what to expect, wrong answers.

Every statement names the computation that backs it, as in the story; {fields} are filled with
the numbers of the scene as it starts (`ueo_core.learn.sheet.fields`). No torch here.
"""

from dataclasses import dataclass

from ueo_core.learn.scenes import Sentence


@dataclass(frozen=True)
class Wrong:
    """A common wrong answer, and what to say to it."""

    answer: str
    reply: Sentence


@dataclass(frozen=True)
class Lesson:
    """How to teach one scene."""

    minutes: int
    ask: str
    expect: tuple[Sentence, ...]
    wrong: tuple[Wrong, ...]


DISCUSSION = 6  # minutes for questions at the end
BEFORE = (
    "Open every scene once before the lesson: the model is loaded then.",
    "Start the run of scene 7 once as well: drawing its images takes a while the first time.",
    "Let the class predict first, by a show of hands; then choose an option (1–3) and play (Space).",
)

LESSONS: dict[str, Lesson] = {
    "guess": Lesson(
        4,
        "What do the drawings show? What will CLIP say about a thing that is not in its list?",
        (
            Sentence(
                "CLIP predicts one of the {classes} classes for every drawing.",
                "always_predicts_a_class",
            ),
            Sentence(
                "Its confidence is above 50 % for {sure} of the 8 drawings.",
                "confidence_above_half",
            ),
        ),
        (
            Wrong(
                "CLIP says so if nothing in its list fits.",
                Sentence(
                    "The probabilities of the named classes sum to one; none is left for “unknown”.",
                    "probabilities_sum_to_one",
                ),
            ),
        ),
    ),
    "strangers": Lesson(
        5,
        "Which drawings belong to none of the classes? How could one tell from the confidence?",
        (
            Sentence("{unknown} of the 8 drawings are unknown.", "unknown_among_eight"),
            Sentence(
                "CLIP's mean confidence is {confidence_unknown} % on them and {confidence_known} % on the "
                "known drawings.",
                "reveal",
            ),
        ),
        (
            Wrong(
                "Low confidence means unknown.",
                Sentence(
                    "Some unknown drawings have a higher confidence than some known ones.",
                    "confidences_overlap",
                ),
            ),
        ),
    ),
    "hills": Lesson(
        6,
        "Where is the distribution of the unknown drawings? Where would you set the threshold?",
        (
            Sentence(
                "In {score_auc} of 100 pairs of a known and an unknown drawing the known one has the "
                "higher score.",
                "auc_is_pairs",
            ),
            Sentence(
                "A threshold that accepts {score_known} % of the known drawings accepts {score_unknown} % of the "
                "unknown drawings.",
                "threshold",
            ),
        ),
        (
            Wrong(
                "One only has to find the right threshold.",
                Sentence(
                    "Every threshold rejects known drawings or accepts unknown ones.",
                    "no_threshold_separates",
                ),
            ),
            Wrong(
                "An AUC of 50 % is half right.",
                Sentence(
                    "A score that is the same for all images has an AUC of 50 %.", "auc_of_chance"
                ),
            ),
        ),
    ),
    "term-one": Lesson(
        6,
        "Every prediction becomes more certain. Does the model become better?",
        (Sentence("{entmin_end}", "entmin_collapses"),),
        (
            Wrong(
                "Each dot moves to the corner of its own class.",
                Sentence(
                    "All images share the trained parameters: one change moves all dots.",
                    "one_change_moves_all",
                ),
            ),
        ),
    ),
    "term-two": Lesson(
        6,
        "What would you add to the loss, so that not all images get the same class?",
        (
            Sentence(
                "With equal weights for all images (InfoMax), {infomax_unknown}",
                "infomax_confident_on_unknown",
            ),
            Sentence("{infomax_auc}", "infomax_auc_falls"),
        ),
        (
            Wrong(
                "Term two makes every prediction uncertain.",
                Sentence(
                    "It raises the entropy of the mean prediction; the entropy of the single predictions "
                    "falls nevertheless.",
                    "term_two_is_of_the_mean",
                ),
            ),
        ),
    ),
    "weights": Lesson(
        7,
        "Which images should count more in term one, which in term two?",
        (
            Sentence("{weights}", "mean_weights"),
            Sentence("{ueo_end}", "ueo_less_confident_on_unknown"),
        ),
        (
            Wrong(
                "UEO is told which images are unknown.",
                Sentence(
                    "It sees no labels: the weights are the zero-shot confidences.",
                    "weights_are_zero_shot",
                ),
            ),
            Wrong(
                "The lowest loss is the best model.",
                Sentence(
                    "EntMin ends with the lowest term one of the three methods, and collapses.",
                    "entmin_lowest_term_one",
                ),
            ),
        ),
    ),
    "live": Lesson(
        8,
        "There are {pool} drawings without labels. What will change with each step, and what will not?",
        (Sentence("Each step changes the trained parameters a little.", "a_step_changes_little"),),
        (
            Wrong(
                "All of CLIP is trained.",
                Sentence(
                    "Only the context vectors and the normalization layers of the image tower change.",
                    "only_the_adapter_changes",
                ),
            ),
        ),
    ),
    "moved": Lesson(
        4,
        "Guess: how many of ViT-B/16's parameters are trained? Why so few?",
        (
            Sentence(
                "{vit_trained} of {vit_all} parameters: a file of {vit_kb} kB.", "counts_of_vit"
            ),
        ),
        (
            Wrong(
                "So few parameters cannot do harm.",
                Sentence(
                    "Ten trained parameters are enough for the collapse in the triangle.",
                    "ten_parameters_collapse",
                ),
            ),
        ),
    ),
    "wrong": Lesson(
        8,
        "Choose a preset. Which assumption of UEO does it break, and what will happen?",
        (
            Sentence("{wrong_weights}", "mean_weights"),
            Sentence("{wrong_confidence}", "ueo_end"),
        ),
        (
            Wrong(
                "UEO always helps.",
                Sentence(
                    "It can fail if known and unknown images have the same confidence, if a class has no "
                    "images, or if the weights are nearly equal.",
                    "three_failures",
                ),
            ),
        ),
    ),
}
TOTAL = sum(lesson.minutes for lesson in LESSONS.values()) + DISCUSSION  # minutes
