"""The story: nine scenes, each with one picture, at most three sentences and one thing to do.

Every sentence names the computation that backs it (`tie`); tests/test_learn_scenes.py
holds one test by that name. Sentences with {fields} are filled from numbers computed for
what is on the screen. No torch here: other pages import this for their "why?" links.
"""

from dataclasses import dataclass, field

from ueo_core.learn.knobs import Knobs


@dataclass(frozen=True)
class Sentence:
    """One statement and the name of the computation that backs it."""

    text: str  # may hold {fields}
    tie: str


@dataclass(frozen=True)
class Look:
    """How the triangle is drawn in a scene."""

    methods: tuple[str, ...] = ("entmin", "infomax", "ueo")
    arrows: str = "both"  # a key of ARROWS
    dots: str = "equal"  # a key of DOTS
    star: bool = False  # the mean prediction p̄
    shade: bool = False  # entropy as shading
    trails: bool = False  # the path of every point up to this moment


SWITCHES = ("star", "shade", "trails")  # what of a look is on or off
ARROWS = {
    "both": "pull of the loss",
    "each": "both terms, one by one",
    "one": "pull of term one",
    "two": "pull of term two",
    "move": "the next step",
    "none": "no arrows",
}
DOTS = {"equal": "all alike", "w": "weight w", "q": "weight 1/w"}


@dataclass(frozen=True)
class Scene:
    """One scene. `look` and `knobs` are for those whose picture is the triangle."""

    title: str
    picture: str  # eight, hills, triangle, live, moved
    sentences: tuple[Sentence, ...]
    do: str
    look: Look | None = None
    knobs: Knobs = field(default_factory=Knobs)


SCENES: dict[str, Scene] = {
    "guess": Scene(
        "What CLIP says",
        "eight",
        (
            Sentence(
                "CLIP compares each drawing with one sentence for each of {classes} classes and predicts "
                "the class of the closest.",
                "closest_sentence",
            ),
            Sentence(
                "It always predicts one of them, whatever the drawing shows.",
                "always_answers",
            ),
            Sentence("For {sure} of these eight, its confidence is above 50 %.", "sure_of"),
        ),
        "Read the predictions aloud. Which ones do you trust?",
    ),
    "strangers": Scene(
        "Which images are unknown?",
        "eight",
        (
            Sentence(
                "{unknown} of these eight drawings belong to none of the {classes} classes.",
                "unknown_among_eight",
            ),
            Sentence("{reveal}", "reveal"),
        ),
        "Tick the drawings that you think are unknown, then reveal (V).",
    ),
    "hills": Scene(
        "Two distributions",
        "hills",
        (
            Sentence(
                "Each of {images} drawings gets one score: how well it fits its best class.",
                "one_number",
            ),
            Sentence(
                "Take a known and an unknown drawing: in {auc} of 100 such pairs the known one scores "
                "higher. That is the AUC.",
                "auc_is_pairs",
            ),
            Sentence(
                "The threshold accepts {kept} % of the known drawings and {passed} % of the unknown ones.",
                "line",
            ),
        ),
        "Move the threshold. Can you accept all known drawings and no unknown one?",
    ),
    "term-one": Scene(
        "Term one: confident predictions",
        "triangle",
        (
            Sentence(
                "Each dot is the prediction for one image: a corner is certainty, the middle is uncertainty.",
                "corner_is_certainty",
            ),
            Sentence("Term one lowers every image's entropy. {alone}", "entmin_collapses"),
            Sentence("{chance}", "entmin_at_chance"),
        ),
        "Play (Space) and watch the dots. Then go back to the start (0), drag some of them elsewhere, and play again.",
        Look(methods=("entmin",), shade=True, trails=True),
    ),
    "term-two": Scene(
        "Term two: balanced predictions",
        "triangle",
        (
            Sentence(
                "Term two raises the entropy of the mean prediction, the star, so that no class gets all predictions.",
                "infomax_stays_balanced",
            ),
            Sentence(
                "With equal weights (InfoMax), {lured}",
                "infomax_pulls_unknown",
            ),
            Sentence("{apart}", "infomax_auc_falls"),
        ),
        "Play (Space) and follow the diamonds.",
        Look(methods=("entmin", "infomax"), star=True),
    ),
    "weights": Scene(
        "The weights: confident and uncertain images",
        "triangle",
        (
            Sentence(
                "UEO gives each image a weight before the first step: the confidence of zero-shot CLIP.",
                "weights_are_zero_shot",
            ),
            Sentence(
                "Confident images count more in term one (w), uncertain ones in term two (1/w).",
                "weights_split_the_terms",
            ),
            Sentence("{held}", "ueo_holds_unknown_back"),
        ),
        "Play (Space): solid arrows are term one, dashed ones term two. Then let the dots show 1/w.",
        Look(arrows="each", dots="w", star=True),
    ),
    "live": Scene(
        "A live run",
        "live",
        (
            Sentence(
                "The same two terms on pixels: a small CLIP, {classes} class names and {pool} drawings "
                "without labels, some of them unknown.",
                "sample_problem",
            ),
            Sentence(
                "Each step takes a batch, computes both terms and changes the trained parameters a little.",
                "a_step_moves_little",
            ),
        ),
        "Start it (A), take one step (S), then let it run (G).",
    ),
    "moved": Scene(
        "What changed",
        "moved",
        (
            Sentence(
                "Only a few context vectors and the weight and bias of the image tower's normalization "
                "layers are trained; everything else is frozen.",
                "only_the_delta_moves",
            ),
            Sentence(
                "In ViT-B/16 that is {vit_trained} of {vit_all} parameters: a file of {vit_kb} kB.",
                "counts_of_vit",
            ),
            Sentence(
                "In the teaching model it is {own_trained} of {own_all}{own_moved}.",
                "counts_of_own",
            ),
        ),
        "Find the small square. Nothing else has to be saved.",
    ),
    "wrong": Scene(
        "When it fails",
        "triangle",
        (
            Sentence("{told}", "weights_told"),
            Sentence("{ends}", "ueo_ends"),
            Sentence(
                "What can defeat it: unknown images with as high a confidence as known ones, a class "
                "without any image, and weights from unscaled cosines, which are nearly equal.",
                "three_defeats",
            ),
        ),
        "Choose a setting, predict which method will fail, then play (Space).",
        Look(star=True),
        Knobs(kind="lookalike"),
    ),
}
ORDER = tuple(SCENES)


def neighbor(scene: str, by: int) -> str:
    """The scene that many places on, without leaving the story."""
    return ORDER[min(max(ORDER.index(scene) + by, 0), len(ORDER) - 1)]
