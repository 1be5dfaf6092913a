"""The story: nine scenes, each with one picture, at most three sentences and one task.

Each sentence names the computation that backs it (`check`): tests/learn has a test of that name.
Sentences with {fields} are filled with numbers computed for what is on the screen. No torch
here: other pages import this for their "why?" links.
"""

from dataclasses import dataclass, field

from ueo_core.learn.triangle_settings import TriangleSettings

BACKBONE = "drawings-resnet"  # the teaching model of the story


@dataclass(frozen=True)
class Sentence:
    """One statement and the name of the computation that backs it."""

    text: str  # may contain {fields}
    check: str  # the test is named test_<check>
    result: bool = False  # held back until the viewer has played


@dataclass(frozen=True)
class Look:
    """How the triangle is drawn in a scene."""

    methods: tuple[str, ...] = ("entmin", "infomax", "ueo")
    arrows: str = "both"  # a key of ARROWS
    dots: str = "equal"  # a key of DOTS
    star: bool = False  # the mean prediction p̄
    shade: bool = False  # entropy as shading
    trails: bool = False  # the path of every point up to the current step


SWITCHES = ("star", "shade", "trails")  # the fields of Look that are on or off
ARROWS = {
    "both": "sum of both terms",
    "each": "each term separately",
    "one": "term one",
    "two": "term two",
    "move": "next step",
    "none": "none",
}
DOTS = {"equal": "equal", "w": "weight w", "q": "weight 1/w"}


@dataclass(frozen=True)
class Scene:
    """One scene. `look` and `settings` are for scenes whose picture is the triangle."""

    title: str
    picture: str  # eight, scores, triangle, live, trained
    sentences: tuple[Sentence, ...]
    task: str  # what the viewer is asked to do
    look: Look | None = None
    settings: TriangleSettings = field(default_factory=TriangleSettings)


SCENES: dict[str, Scene] = {
    "guess": Scene(
        "CLIP's predictions",
        "eight",
        (
            Sentence(
                "CLIP compares each drawing with one sentence for each of {classes} classes and "
                "predicts the class of the closest sentence.",
                "closest_sentence",
            ),
            Sentence(
                "It always predicts one of these classes, whatever the drawing shows.",
                "always_predicts_a_class",
                result=True,
            ),
            Sentence(
                "Its confidence is above 50 % for {sure} of these 8 drawings.",
                "confidence_above_half",
                result=True,
            ),
        ),
        "Name the drawings, then show the predictions (Space). Which of them do you believe?",
    ),
    "strangers": Scene(
        "Known or unknown?",
        "eight",
        (
            Sentence(
                "{unknown} of these 8 drawings belong to none of the {classes} classes: they are "
                "unknown.",
                "unknown_among_eight",
            ),
            Sentence("{reveal}", "reveal"),
        ),
        "Mark the drawings that you think are unknown, then reveal the solution (V).",
    ),
    "hills": Scene(
        "Score distributions",
        "scores",
        (
            Sentence(
                "Each of {images} drawings gets one score: how well it fits its best class.",
                "one_score",
            ),
            Sentence(
                "Take one known and one unknown drawing: in {auc} of 100 such pairs the known drawing "
                "has the higher score. This number is the AUC.",
                "auc_is_pairs",
                result=True,
            ),
            Sentence(
                "The threshold accepts {known} % of the known drawings and {unknown} % of the unknown "
                "drawings.",
                "threshold",
                result=True,
            ),
        ),
        "Show the unknown drawings (Space), then move the threshold. Can it accept all known drawings and no "
        "unknown drawing?",
    ),
    "term-one": Scene(
        "Term one: low entropy",
        "triangle",
        (
            Sentence(
                "Each dot is the prediction for one image: in a corner it is certain, in the middle all "
                "classes are equally likely.",
                "corner_is_certainty",
            ),
            Sentence("Term one lowers the entropy of every prediction.", "term_one_lowers"),
            Sentence("{entmin_end}", "entmin_collapses", result=True),
        ),
        "Play (Space) and watch the dots. Then go back to step 0 (key 0), drag some dots to other "
        "places, and play again.",
        Look(methods=("entmin",), shade=True, trails=True),
    ),
    "term-two": Scene(
        "Term two: balanced classes",
        "triangle",
        (
            Sentence(
                "Term two raises the entropy of the mean prediction (the star), so that no class gets "
                "all images.",
                "infomax_stays_balanced",
            ),
            Sentence(
                "With equal weights for all images (InfoMax), {infomax_unknown}",
                "infomax_confident_on_unknown",
                result=True,
            ),
            Sentence("{infomax_auc}", "infomax_auc_falls", result=True),
        ),
        "Play (Space) and watch the diamonds: they are the unknown images.",
        Look(methods=("entmin", "infomax"), star=True),
    ),
    "weights": Scene(
        "Weights from confidence",
        "triangle",
        (
            Sentence(
                "UEO gives each image a weight w before the first step: the confidence of zero-shot CLIP in "
                "its prediction.",
                "weights_are_zero_shot",
            ),
            Sentence(
                "Images with high confidence count more in term one (w), images with low confidence "
                "count more in term two (1/w).",
                "weights_split_the_terms",
            ),
            Sentence("{ueo_end}", "ueo_less_confident_on_unknown", result=True),
        ),
        "Play (Space): solid arrows show term one, dashed arrows term two. Then set the dot size to "
        "“weight 1/w”.",
        Look(arrows="each", dots="w", star=True),
    ),
    "live": Scene(
        "Training on images",
        "live",
        (
            Sentence(
                "The same two terms on images: a small CLIP, {classes} class names and {pool} drawings "
                "without labels, some of them unknown.",
                "sample_problem",
            ),
            Sentence(
                "Each step takes a batch, computes both terms and changes the trained parameters a little.",
                "a_step_changes_little",
            ),
        ),
        "Start the run (A), take one step (S), then resume it (G).",
    ),
    "moved": Scene(
        "Trained parameters",
        "trained",
        (
            Sentence(
                "Only a few context vectors and the weight and bias of the image tower's normalization "
                "layers are trained; everything else is frozen.",
                "only_the_adapter_changes",
            ),
            Sentence(
                "In ViT-B/16 these are {vit_trained} of {vit_all} parameters: a file of {vit_kb} kB.",
                "counts_of_vit",
                result=True,
            ),
            Sentence(
                "In the teaching model they are {own_trained} of {own_all}{own_change}.",
                "counts_of_own",
                result=True,
            ),
        ),
        "Show the trained parameters (Space) and find the small square: only these have to be saved.",
    ),
    "wrong": Scene(
        "When UEO fails",
        "triangle",
        (
            Sentence("{weights}", "mean_weights"),
            Sentence("{ueo_confidence}", "ueo_end", result=True),
            Sentence(
                "UEO can fail if known and unknown images have the same confidence, if a class has no "
                "images, or if the weights come from unscaled cosines, which are nearly equal.",
                "three_failures",
                result=True,
            ),
        ),
        "Choose a preset, predict which methods fail, then play (Space).",
        Look(star=True),
        TriangleSettings(kind="lookalike"),
    ),
}
ORDER = tuple(SCENES)


def neighbor(scene: str, by: int) -> str:
    """The scene that is `by` places later (earlier if negative); the first or the last at the ends."""
    return ORDER[min(max(ORDER.index(scene) + by, 0), len(ORDER) - 1)]
