"""The command-line equivalent of what a page does."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ueo_core.config.presets import DEFAULT_PRESET, preset
from ueo_core.config.settings import SETTINGS, Settings
from ueo_core.data.class_list import write_class_names
from ueo_core.drawings.sample import DEFAULT_SHIFT, SHIFTS, SHOWCASE_DOMAIN
from ueo_core.export.formats import MODELS, PREDICTIONS
from ueo_core.inference.adapter_file import AdapterFile
from ueo_core.workspace.dataset import Dataset, open_dataset

if TYPE_CHECKING:  # it loads scikit-learn
    from ueo_core.workspace.study import Study

PROGRAM = "python -m ueo_core"


def options(settings: Settings) -> list[str]:
    """The options of `adapt` that lead from its own preset for the backbone to these settings."""
    usual = preset(DEFAULT_PRESET, settings.backbone)
    words = ["--backbone", settings.backbone]
    for name, about in SETTINGS.items():
        value, flag = getattr(settings, name), name.replace("_", "-")
        if name == "backbone" or value == getattr(usual, name):
            continue
        # Every preset has its switches on.
        words += [f"--no-{flag}"] if about.kind is bool else [f"--{flag}", str(value)]
    return words


def command_line(dataset: Dataset, settings: Settings, out: str = "RUN") -> str:
    """The equivalent commands, one a line, quoted for a POSIX shell.

    A sample is first written out; uploaded images stand as FOLDER, and a test set of one's own
    and a table of labels as TEST and LABELS.csv: the studio does not know where they are.
    """
    if dataset.is_sample:
        shift, seed, domain = (dataset.origin[k] for k in ("shift", "seed", "domain"))
        folder = f"sample-{seed}"
        words = ["sample", folder, "--seed", str(seed)]
        words += ["--shift", shift] if shift != DEFAULT_SHIFT else []
        words += ["--domain", domain] if domain != SHOWCASE_DOMAIN else []
        return "\n".join(
            (
                _line(words),
                _adapt(f"{folder}/pool", f"{folder}/classes.txt", settings, out),
                _line(["evaluate", out, f"{folder}/test"]),
            )
        )
    source = dataset.origin.get("path", "FOLDER")
    scoring = ["--holdout", "TEST"] if dataset.holdout else []
    if dataset.labels_from:
        scoring += ["--labels", "folders" if dataset.labels_from == "folders" else "LABELS.csv"]
    classes = write_class_names(dataset.classes, dataset.synonyms, one_line=True)
    scoring += ["--srgb"] if dataset.pool.get("srgb") else []
    return _adapt(source, classes, settings, out, scoring)


def use_commands(adapter_file: AdapterFile, format: str) -> str:
    """What the Use page does, one command a line, for new images in FOLDER.

    format: of the export, a key of `export.formats`, or "report".
    """
    run = adapter_file.run
    model = str(adapter_file.path if run is None else run)
    # A run's folder means its last epoch.
    which = ["--recommended"] if run is not None and adapter_file.guarded else []
    lines = [["predict", model, "FOLDER", *which, "--csv", "predictions.csv"]]
    if format in PREDICTIONS and format != "csv":
        name = PREDICTIONS[format].name
        images = ["--images", "FOLDER"]
        lines.append(["export", model, *which, "--what", format, *images, "--to", name])
    elif format in MODELS:
        lines.append(["export", model, *which, "--what", format, "--to", MODELS[format].name])
    elif format == "report":
        lines.append(["report", model, "--out", "report.html"])
    return "\n".join(map(_line, lines))


def study_commands(study: "Study", out: str = "comparison") -> str:
    """What a protocol of Compare does, one command a line, into one folder.

    Uploaded images stand as FOLDER, a test set as TEST. UserError where the dataset is gone.
    """
    every = set(study.shifts) == set(SHIFTS)
    chosen = [w for name, value in study.chosen.items() for w in (f"--{name}", str(value))]
    if study.drawn:
        on = ["table", "--domain", study.marks, "--backbones", study.backbone, "--first-seed", "0"]
    else:
        from ueo_core.workspace.study import measured_part

        dataset = open_dataset(study.data)
        held = measured_part(dataset) == "holdout"
        on = ["protocol", "TEST" if held else dataset.origin.get("path", "FOLDER")]
        on += (
            []
            if study.by_share
            else ["--classes", write_class_names(dataset.classes, one_line=True)]
        )
        on += ["--backbone", study.backbone]
        on += ["--pretrained", study.pretrained] if study.pretrained else []
    end = ["--methods", ",".join(study.methods), "--seeds", str(study.seeds), *chosen, "--out", out]
    return "\n".join(
        _line([*on, "--shift", shift, *end]) for shift in (("all",) if every else study.shifts)
    )


def _adapt(
    source: str, classes: str, settings: Settings, out: str, scoring: Sequence[str] = ()
) -> str:
    words = ["adapt", source, "--classes", classes, "--out", out, *scoring, *options(settings)]
    return _line(words)


def _line(words: list[str]) -> str:
    return f"{PROGRAM} {shlex.join(words)}"
