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
                "CLIP compares each drawing with one sentence for each of {classes} classes and answers "
                "with the closest.",
                "closest_sentence",
            ),
            Sentence(
                "It always names one of them, whatever the drawing shows.",
                "always_answers",
            ),
            Sentence("Of these eight it is more than half sure of {sure}.", "sure_of"),
        ),
        "Read the answers aloud. Which ones do you believe?",
    ),
    "strangers": Scene(
        "Who does not belong?",
        "eight",
        (
            Sentence(
                "{strangers} of these eight drawings belong to none of the {classes} classes.",
                "strangers_among_eight",
            ),
            Sentence("{reveal}", "reveal"),
        ),
        "Tick the ones that you think are strangers, then reveal (V).",
    ),
    "hills": Scene(
        "Two hills",
        "hills",
        (
            Sentence(
                "Each of {images} drawings gets one number: how well it fits its best class.",
                "one_number",
            ),
            Sentence(
                "Take a known drawing and a stranger: in {auc} of 100 such pairs the known one scores "
                "higher, and that is the AUC.",
                "auc_is_pairs",
            ),
            Sentence(
                "The line keeps {kept} % of the known drawings and lets {passed} % of the strangers in.",
                "line",
            ),
        ),
        "Move the line. Can you keep everyone and let nobody in?",
    ),
    "term-one": Scene(
        "Term one: be sure",
        "triangle",
        (
            Sentence(
                "Each dot is the prediction for one image: a corner is certainty, the middle is doubt.",
                "corner_is_certainty",
            ),
            Sentence("Term one lowers every image's entropy. {alone}", "entmin_collapses"),
            Sentence("{chance}", "entmin_at_chance"),
        ),
        "Play (Space) and watch the dots. Then go back to the start (0), drag some of them elsewhere, and play again.",
        Look(methods=("entmin",), shade=True, trails=True),
    ),
    "term-two": Scene(
        "Term two: stay balanced",
        "triangle",
        (
            Sentence(
                "Term two raises the entropy of the mean prediction, the star, so that no class takes all.",
                "infomax_stays_balanced",
            ),
            Sentence(
                "With every image counting alike (InfoMax), {lured}",
                "infomax_lures_strangers",
            ),
            Sentence("{apart}", "infomax_auc_falls"),
        ),
        "Play (Space) and follow the diamonds.",
        Look(methods=("entmin", "infomax"), star=True),
    ),
    "weights": Scene(
        "The weights: sure and doubtful",
        "triangle",
        (
            Sentence(
                "UEO gives each image a weight before the first step: how sure zero-shot CLIP is of it.",
                "weights_are_zero_shot",
            ),
            Sentence(
                "Sure images count more in term one (w), doubtful ones in term two (1/w).",
                "weights_split_the_terms",
            ),
            Sentence("{held}", "ueo_holds_strangers_back"),
        ),
        "Play (Space): solid arrows are term one, dashed ones term two. Then let the dots show 1/w.",
        Look(arrows="each", dots="w", star=True),
    ),
    "live": Scene(
        "The real thing",
        "live",
        (
            Sentence(
                "The same two terms on pixels: a small CLIP, {classes} class names and {pool} drawings "
                "without labels, strangers among them.",
                "sample_problem",
            ),
            Sentence(
                "Each step takes a batch, computes both terms and moves the trained numbers a little.",
                "a_step_moves_little",
            ),
        ),
        "Start it (A), take one step (S), then let it run (G).",
    ),
    "moved": Scene(
        "What moved",
        "moved",
        (
            Sentence(
                "Only a few context vectors and the weight and bias of the image tower's normalization "
                "layers are trained; everything else is frozen.",
                "only_the_delta_moves",
            ),
            Sentence(
                "In ViT-B/16 that is {vit_trained} of {vit_all} numbers: a file of {vit_kb} kB.",
                "counts_of_vit",
            ),
            Sentence(
                "In the teaching model it is {own_trained} of {own_all}{own_moved}.",
                "counts_of_own",
            ),
        ),
        "Find the small square. That is all there is to save.",
    ),
    "wrong": Scene(
        "When it goes wrong",
        "triangle",
        (
            Sentence("{told}", "weights_told"),
            Sentence("{ends}", "ueo_ends"),
            Sentence(
                "What can defeat it: strangers that look as sure as the known, a class that nobody "
                "photographed, and weights from unscaled cosines, which are nearly equal.",
                "three_defeats",
            ),
        ),
        "Choose a setting, say beforehand who will fail, then play (Space).",
        Look(star=True),
        Knobs(kind="lookalike"),
    ),
}
ORDER = tuple(SCENES)


def neighbor(scene: str, by: int) -> str:
    """The scene that many places on, without leaving the story."""
    return ORDER[min(max(ORDER.index(scene) + by, 0), len(ORDER) - 1)]
