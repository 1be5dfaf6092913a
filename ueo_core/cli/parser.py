"""The parser: every command with its options. It imports nothing slow."""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ueo_core.config.methods import DEFAULT_VARIANTS, RUNNABLE, VARIANTS
from ueo_core.config.presets import COMPARED_PRESET, PRESETS
from ueo_core.config.setting_fields import Setting
from ueo_core.config.settings import DEVICES, DRAWINGS_PRESETS, PRECISIONS, SETTINGS, Settings
from ueo_core.drawings.sample import DEFAULT_SHIFT, SHIFTS, SHOWCASE_DOMAIN
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ueo_core.export.formats import MODELS, PREDICTIONS
from ueo_core.protocol.benchmarks import CATEGORY_SHIFTS
from ueo_core.utils.errors import UserError
from ueo_core.utils.paths import store_root

OLDER_FORMATS = {"delta": "adapter", "snippet": "script"}  # names of version 1.0
ALIASES = {"guard": ("safety-check",)}  # other names of a switch
CLASSES_HELP = (
    '"a,b,c", a file with one name per line, or a folder with one subfolder per class; '
    '"dog: puppy, hound; cat" gives further names'
)
COMPARED = tuple(name for name, about in SETTINGS.items() if about.compared)


class Parser(argparse.ArgumentParser):
    """argparse whose complaints are UserErrors, so that all bad input ends the same way.

    No option may be shortened: `--seed 3` of a protocol would silently mean three `--seeds`.
    """

    def __init__(self, **details: Any):
        super().__init__(allow_abbrev=False, **details)

    def error(self, message: str):
        raise UserError(f"{self.prog}: {message}; see `{self.prog} --help`.")


def add_training(parser: argparse.ArgumentParser) -> None:
    """The options of one run; None means the backbone's preset."""
    parser.add_argument(
        "--classes",
        required=True,
        help=CLASSES_HELP,
    )
    add_settings(parser, SETTINGS)


def add_settings(parser: argparse.ArgumentParser, names: Iterable[str]) -> None:
    """One option for each of these settings, as config.settings describes it."""
    for name in names:
        about, flag = SETTINGS[name], name.replace("_", "-")
        help = about.help.replace("%", "%%")
        if about.kind is bool:
            flags = [f"--no-{flag}", *(f"--no-{alias}" for alias in ALIASES.get(name, ()))]
            text = f"turn it off: {about.title.lower()}. {help}"
            parser.add_argument(*flags, dest=name, action="store_false", default=None, help=text)
            continue
        choices = RUNNABLE if name == "method" else tuple(about.choices or ()) or None
        default = Settings.backbone if name == "backbone" else None
        if about.low is not None:
            word = f", or {about.word}" if about.word else ""
            help += f" From {about.low:g} to {about.high:g}{word}."
        if about.empty:
            help += f" Default: {about.empty}."
        parser.add_argument(
            f"--{flag}",
            type=_word_or_number(about) if about.word else about.kind,
            choices=choices,
            default=default,
            help=help,
            metavar=None if choices else "X" if about.low is not None else "TEXT",
        )


def _word_or_number(about: Setting) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return about.read(text)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is neither a number nor {about.word}"
            ) from None

    return parse


def chosen_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The settings that were given on the command line, by name; the backbone is always there."""
    given = {name: getattr(args, name, None) for name in SETTINGS}
    return {name: value for name, value in given.items() if value is not None}


def add_guarded(parser: argparse.ArgumentParser) -> None:
    """Which of a run's two models is meant."""
    parser.add_argument(
        "--recommended",
        "--guarded",
        dest="guarded",
        action="store_true",
        help="the model that the safety check recommends, where that is not the last epoch",
    )


def add_excel(parser: argparse.ArgumentParser) -> None:
    """How the CSV begins."""
    parser.add_argument(
        "--excel",
        action="store_true",
        help="begin the CSV with a byte-order mark: Excel takes it for another encoding without",
    )


def add_comparison(parser: argparse.ArgumentParser, seeds: int, first_seed: int) -> None:
    """What is compared, how often, and where the rows are kept."""
    parser.add_argument(
        "--methods",
        default=",".join(DEFAULT_VARIANTS),
        help=f"all, or some of {', '.join(VARIANTS)}",
    )
    parser.add_argument("--seeds", type=int, default=seeds, help="how many")
    parser.add_argument("--first-seed", type=int, default=first_seed)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="rows and tables; continues where it was interrupted",
    )


def program() -> str:
    """How this process was started: by the console command `ueo`, or as a module."""
    return "ueo" if Path(sys.argv[0]).stem == "ueo" else "python -m ueo_core"


def build() -> Parser:
    """The whole command line."""
    common = Parser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON object on the last line")
    stored = Parser(add_help=False)
    stored.add_argument(
        "--store", type=Path, default=store_root(), help="folder of the image store"
    )
    device = Parser(add_help=False)
    device.add_argument("--device", choices=DEVICES, default="auto")

    parser = Parser(prog=program(), description="Adapt CLIP to unlabeled images with UEO.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    p = commands.add_parser("drawings", parents=[common], help="draw a labeled folder of images")
    p.add_argument("out", type=Path, metavar="OUT")
    p.add_argument("--domain", default="painted")
    p.add_argument("--per-class", type=int, default=20)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--classes", help="a,b,c; default: all nouns")
    p.add_argument("--size", type=int, default=160, help="pixels a side")

    p = commands.add_parser("sample", parents=[common], help="write the built-in problem")
    p.add_argument("out", type=Path, metavar="OUT")
    p.add_argument("--shift", choices=SHIFTS, default=DEFAULT_SHIFT)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--domain", default=SHOWCASE_DOMAIN)

    p = commands.add_parser("backbones", parents=[common], help="what can be adapted, what is here")
    p.add_argument("--all", action="store_true", help="every open_clip model and tag")

    colors = Parser(add_help=False)
    colors.add_argument(
        "--srgb",
        action="store_true",
        help="convert colors by the photos' profiles to sRGB; without, profiles are ignored",
    )
    p = commands.add_parser(
        "ingest", parents=[common, stored, colors], help="take images into the store"
    )
    p.add_argument("source", type=Path, metavar="SOURCE", help="folder or .zip")
    p.add_argument(
        "--short-side", type=int, default=366, help="pixels kept, 366 for a 224 px model"
    )
    p.add_argument("--classes", help="say how the subfolders relate to these class names")

    p = commands.add_parser(
        "names", parents=[common, stored], help="check class names on unlabeled images"
    )
    p.add_argument("source", type=Path, metavar="SOURCE", help="folder or .zip")
    p.add_argument("--classes", required=True, help=CLASSES_HELP)
    p.add_argument(
        "--words",
        type=Path,
        metavar="FILE",
        help="more words to suggest, one a line or separated by commas",
    )
    add_settings(p, ("backbone", "pretrained", "prompt", "templates", "device"))

    p = commands.add_parser(
        "adapt", parents=[common, stored, colors], help="adapt CLIP to unlabeled images"
    )
    p.add_argument(
        "source",
        type=Path,
        metavar="SOURCE",
        help="folder or .zip; also .tar (WebDataset), or a .csv or .parquet of paths",
    )
    p.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    p.add_argument(
        "--most-images",
        type=int,
        metavar="N",
        help="of a larger SOURCE so many are sampled, without labels; default: 20,000",
    )
    p.add_argument(
        "--holdout", type=Path, metavar="SOURCE", help="labeled test set, used only for scoring"
    )
    p.add_argument(
        "--holdout-labels",
        metavar="FILE",
        help="CSV (path,label), or Label Studio's JSON, instead of its subfolders",
    )
    p.add_argument(
        "--labels",
        metavar="FILE|folders",
        help="of SOURCE, for scoring only: CSV (path,label), Label Studio's JSON, or its subfolders' names",
    )
    add_training(p)

    p = commands.add_parser(
        "resume",
        parents=[common],
        help="continue an interrupted run, or train a finished one longer",
    )
    p.add_argument("run", type=Path, metavar="RUN")
    p.add_argument(
        "--epochs",
        type=int,
        help="of a finished run: so many more, under a cosine of their own from the run's peak rate to 0",
    )

    model = Parser(add_help=False)
    model.add_argument("run", type=Path, metavar="RUN", help="folder of a run, or an adapter file")
    model.add_argument("--backbone", help="where the model is here, if not where the run had it")
    model.add_argument("--pretrained", help="its weights here: an open_clip tag or a file")
    threshold = Parser(add_help=False)
    threshold.add_argument(
        "--threshold", type=float, help="on the MCM score; default: the run's own, a guess"
    )

    p = commands.add_parser(
        "evaluate", parents=[common, model, stored, device], help="score on a labeled folder"
    )
    p.add_argument(
        "source", type=Path, metavar="SOURCE", help="one subfolder per class; others are OOD"
    )
    p.add_argument(
        "--labels",
        metavar="FILE",
        help="CSV (path,label), or Label Studio's JSON, instead of the subfolders",
    )
    p.add_argument("--score", default="mcm", help="mcm, msp, max-cosine, energy, entropy, margin")

    negatives = Parser(add_help=False)
    negatives.add_argument(
        "--negatives",
        metavar="WORDS",
        help='words for what else is among the images ("screenshot, document"), or common-nouns for the '
        "shipped list: the score is then NegLabel, and so is the threshold's",
    )

    p = commands.add_parser(
        "inspect", parents=[common, negatives], help="what a finished run changed"
    )
    p.add_argument("run", type=Path, metavar="RUN")
    p.add_argument("--set", choices=("pool", "holdout"), help="default: the test set with labels")
    p.add_argument("--step", type=int, help="a checkpoint; default: the final model")
    p.add_argument("--score", choices=SCORES, default=DEFAULT_SCORE)
    p.add_argument("--threshold", type=float, help="on that score; default: a mixture's guess")

    p = commands.add_parser(
        "compare", parents=[common], help="finished runs side by side, with paired tests"
    )
    p.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    p.add_argument(
        "--set",
        choices=("holdout", "pool"),
        help="images; default: a labeled test set, else the pool",
    )
    p.add_argument("--score", default=DEFAULT_SCORE, choices=SCORES)
    p.add_argument(
        "--reference", default="zero-shot", metavar="RUN", help="tested against; default: zero-shot"
    )

    p = commands.add_parser(
        "predict",
        parents=[common, model, stored, device, threshold, negatives],
        help="classify images",
    )
    p.add_argument(
        "source",
        type=Path,
        metavar="SOURCE",
        help="folder or .zip; with --parquet also .tar (WebDataset), or a .csv or .parquet of paths",
    )
    written = p.add_mutually_exclusive_group(required=True)
    written.add_argument("--csv", type=Path, metavar="FILE", help="-: standard output")
    written.add_argument(
        "--parquet",
        type=Path,
        metavar="DIR",
        help="for any number of images: read in place, in constant memory, as part-00000.parquet and so on; "
        "continues where it was interrupted",
    )
    p.add_argument("--top", type=int, help="with --parquet: classes per image; default: 5")
    p.add_argument(
        "--features", choices=("float16", "float32"), help="with --parquet: unit features, too"
    )
    p.add_argument("--images-per-part", type=int, help="with --parquet; default: 4096")
    p.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="with --parquet: of the image tower; default: float32. auto: bfloat16 on a GPU that has it",
    )
    p.add_argument(
        "--processes", type=int, help="with --parquet: that decode; default: one per core"
    )
    add_excel(p)
    add_guarded(p)

    p = commands.add_parser("report", parents=[common], help="a run as one HTML file to mail")
    p.add_argument("run", type=Path, metavar="RUN")
    p.add_argument("--out", type=Path, required=True, metavar="FILE", help="HTML file to write")

    p = commands.add_parser(
        "export", parents=[common, model, stored, device, threshold], help="take a result elsewhere"
    )
    p.add_argument(
        "--what",
        required=True,
        choices=(*PREDICTIONS, *MODELS, *OLDER_FORMATS),
        metavar="FORMAT",
        help="of the predictions: "
        + "; ".join(f"{name}: {f.title}" for name, f in PREDICTIONS.items())
        + ". Of the model: "
        + "; ".join(f"{name}: {f.title}" for name, f in MODELS.items())
        + f". {' and '.join(OLDER_FORMATS)} are older names",
    )
    p.add_argument(
        "--to",
        type=Path,
        required=True,
        metavar="PATH",
        help="file to write, or a folder that is there; what is many files: a .zip or a new folder; csv: "
        "also -; xmp: also the folder of the photos, where no sidecar of another program is changed",
    )
    add_excel(p)
    add_guarded(p)
    p.add_argument(
        "--images",
        dest="source",
        type=Path,
        metavar="SOURCE",
        help="predictions of these images in place of the run's own",
    )
    p.add_argument(
        "--originals",
        type=Path,
        metavar="SOURCE",
        help="where the original files are, if they were moved",
    )

    p = commands.add_parser(
        "protocol",
        parents=[common, stored],
        help="compare methods on a labeled folder, as the paper does",
    )
    p.add_argument("source", type=Path, metavar="SOURCE", help="class-per-folder")
    p.add_argument("--classes", help="class names; default: the paper's share of the folders")
    p.add_argument("--shift", default="all", help=f"all, {', '.join(CATEGORY_SHIFTS)}")
    p.add_argument(
        "--pool-classes", help="a,b,c: the pool's folders, in place of the paper's share"
    )
    p.add_argument(
        "--test-share", type=float, default=0.5, help="of each class; 0: test on the pool"
    )
    p.add_argument("--preset", choices=PRESETS, default=COMPARED_PRESET)
    add_comparison(p, seeds=3, first_seed=0)
    add_settings(p, COMPARED)

    p = commands.add_parser(
        "table", parents=[common], help="the README's table: methods on Drawings"
    )
    p.add_argument("--shift", choices=("all", *SHIFTS), default="all")
    p.add_argument("--domain", default=SHOWCASE_DOMAIN)
    p.add_argument(
        "--backbones", default=",".join(DRAWINGS_PRESETS), help="which of the teaching models"
    )
    add_comparison(p, seeds=5, first_seed=600)
    # Each teaching model has its own weights, and --backbones says which of them.
    add_settings(p, (name for name in COMPARED if name not in ("backbone", "pretrained")))

    p = commands.add_parser(
        "evidence", parents=[common], help="how well criteria without labels order models"
    )
    p.add_argument("--out", type=Path, required=True, metavar="DIR", help="continued if it exists")
    p.add_argument("--backbones", default=",".join(DRAWINGS_PRESETS), help="teaching models")
    p.add_argument("--domain", default="all", help="drawing style, or all")
    p.add_argument("--shift", choices=("all", *SHIFTS), default="all")
    p.add_argument("--photos", type=Path, metavar="DIR", help="labeled photos in place of drawings")
    p.add_argument("--backbone", help="with --photos: as in adapt")
    p.add_argument("--pretrained", help="with --photos: as in adapt")
    p.add_argument("--seeds", type=int, default=1, help="problems of each kind")
    p.add_argument("--first-seed", type=int, default=600, help="each problem has the next one")
    p.add_argument(
        "--choice-only",
        action="store_true",
        help="only how close the studio's own choice comes to the best rate and epoch: faster",
    )
    p.add_argument("--epochs", type=int, default=6)
    p.add_argument("--rates", default="0.0625,0.25,0.5,1,2", help="shares of the preset's rate")

    p = commands.add_parser(
        "bench", parents=[common], help="time the studio against a plain script"
    )
    p.add_argument(
        "--backbone",
        help="default: both Drawings models, MobileCLIP2-S0, ViT-B/32, RN50 and ViT-B/16",
    )
    p.add_argument("--pretrained", help="open_clip tag or checkpoint file; default: random weights")
    p.add_argument("--classes", type=int, help="how many; default: 10, 100 and 345")
    p.add_argument("--batch-size", type=int, default=64, help="images per step")
    p.add_argument("--rounds", type=int, default=3, help="timed steps of each side, in turn")
    p.add_argument("--device", choices=DEVICES, default="auto")
    p.add_argument("--threads", type=int, help="default: every core")
    p.add_argument("--chunk", type=int, help="images in memory at once, ours")
    p.add_argument("--precision", choices=PRECISIONS, default="auto", help="ours; plain: float32")
    p.add_argument(
        "--whole", action="store_true", help="from a folder of 12-megapixel photos to its result"
    )
    p.add_argument("--photos", type=int, default=64, help="with --whole")
    p.add_argument("--epochs", type=int, default=3, help="with --whole")

    p = commands.add_parser(
        "gpu-check", parents=[common], help="compare this GPU with the CPU, and time it"
    )
    p.add_argument("--minutes", type=float, default=6.0, help="how long it may take")
    p.add_argument("--out", type=Path, metavar="DIR", help="write gpu-check.json and gpu-check.md")

    p = commands.add_parser("pretrain", parents=[common], help="make a Drawings model anew")
    p.add_argument("name", choices=("drawings-resnet", "drawings-vit"))
    p.add_argument("--out", type=Path, required=True, metavar="FILE", help="safetensors to write")
    p.add_argument("--images", type=int, default=48_000, help="drawn once, seen many times")
    p.add_argument("--steps", type=int, default=4_000)
    p.add_argument(
        "--patch-dropout", type=float, default=0.0, help="ViT: share of patches left out"
    )
    p.add_argument("--seed", type=int, default=0)
    return parser
