"""The command that a page shows gives exactly the settings of the page."""

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workspace.test_study import dataset as labeled_dataset
from tests.workspace.test_study import drawn
from tests.workspace.test_study import on as study_on
from ueo_core.cli.commands import settings_of
from ueo_core.cli.parser import build
from ueo_core.config.presets import PRESETS, preset
from ueo_core.config.settings import MODES, PRECISIONS, TRAINED_PARTS, Settings
from ueo_core.data.class_list import read_class_names
from ueo_core.workspace.dataset import Dataset, create_dataset
from ueo_core.workspace.equivalent_command import command_line, options, study_commands

POOL = {"n": 9, "set": "0" * 16, "store": "s", "name": "n", "fingerprint": "f"}
CLASSES = ("key", "wild cat", "tench, Tinca tinca", "16:9", "- x", "AT&amp;T")
SAMPLE = {"kind": "sample", "shift": "open", "seed": 4, "domain": "sketch"}


def parse(line: str):
    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "ueo_core"]
    return build().parse_args(words[3:])


@settings(deadline=None)  # a slow machine is not a failure
@given(
    backbone=st.sampled_from(
        ["drawings-resnet", "drawings-vit", "RN50-quickgelu", "my model.json"]
    ),
    pretrained=st.sampled_from([None, "openai", "a path/with 'quotes'.safetensors"]),
    method=st.sampled_from(["ueo", "infomax", "entmin"]),
    epochs=st.integers(1, 200),
    lr=st.floats(1e-9, 10),
    trade=st.floats(0, 5),
    prompt=st.sampled_from(["a photo of a", "it's a", 'a "drawn"', "$HOME `ls`"]),
    trained=st.sampled_from(TRAINED_PARTS),
    flip=st.booleans(),
    crop_scale=st.floats(0.05, 1),
    chunk=st.none() | st.integers(1, 64),
    mode=st.sampled_from(MODES),
    precision=st.sampled_from(PRECISIONS),
    seed=st.integers(0, 2**32 - 1),
    temperature=st.sampled_from(["scaled", "released"]),
)
def test_the_command_gives_the_same_settings(backbone, temperature, **values):
    settings = Settings(backbone=backbone, weight_temperature=temperature, **values)
    dataset = Dataset("d", "t", POOL, classes=CLASSES, origin={"path": "/my photos"})
    args = parse(command_line(dataset, settings))
    assert settings_of(args) == settings
    assert str(args.source) == "/my photos"
    assert read_class_names(args.classes).names == list(CLASSES)


def test_the_command_gives_the_same_further_names():
    further = {"key": ["latchkey", "a, b"], "tench, Tinca tinca": ["fish: a tench"]}
    dataset = Dataset("d", "t", POOL, classes=CLASSES, synonyms=further, origin={"path": "p"})
    found = read_class_names(parse(command_line(dataset, Settings())).classes)
    assert (found.names, found.synonyms) == (list(CLASSES), further)


def test_the_recommended_preset_needs_no_option_and_a_fixed_rate_is_said():
    backbone = ["--backbone", "drawings-vit"]
    assert options(preset("paper", "drawings-vit")) == backbone
    assert options(preset("fixed", "drawings-vit")) == [*backbone, "--lr", "3.0"]


def test_commands_for_the_sample():
    dataset = Dataset("d", "t", POOL, classes=("a", "b"), origin=SAMPLE)
    lines = command_line(dataset, Settings.for_backbone("drawings-resnet")).splitlines()
    sample, adapt, evaluate = (parse(line) for line in lines)
    assert (sample.shift, sample.seed, sample.domain) == ("open", 4, "sketch")
    assert adapt.source == sample.out / "pool"
    assert adapt.classes == str(sample.out / "classes.txt")
    assert evaluate.source == sample.out / "test" and evaluate.run == adapt.out


def test_the_command_converts_colors_where_the_images_were():
    for srgb in (False, True):
        dataset = Dataset(
            "d", "t", POOL | {"srgb": srgb}, classes=CLASSES, origin={"kind": "upload"}
        )
        assert parse(command_line(dataset, Settings())).srgb is srgb


def test_uploads_are_written_as_FOLDER():
    dataset = Dataset("d", "t", POOL, classes=("a", "b"), origin={"kind": "upload"})
    assert " adapt FOLDER " in command_line(dataset, Settings())


@pytest.mark.parametrize(
    ("labels_from", "labels"), [("", None), ("folders", "folders"), ("csv", "LABELS.csv")]
)
def test_the_command_names_the_test_set_and_the_labels(labels_from, labels):
    dataset = Dataset("d", "t", POOL, POOL, ("a", "b"), labels_from=labels_from)
    args = parse(command_line(dataset, Settings()))
    assert (str(args.holdout), args.labels) == ("TEST", labels)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("backbone", ["drawings-resnet", "RN50-quickgelu"])
def test_a_preset_changes_only_its_settings(name, backbone):
    base = Settings.for_backbone(backbone)
    changed = {k for k, v in preset(name, backbone).to_json().items() if v != base.to_json()[k]}
    assert (
        changed
        == {
            "paper": {"lr"},
            "fixed": set(),
            "quick": {"epochs"},
            "released": {"weight_temperature", "trained"},
            "one-pass": {"mode"},
            "prompt": {"trained"},
        }[name]
    )
    if name == "quick":
        assert preset(name, backbone).epochs == round(base.epochs / 3)


def study(**values):
    return drawn(methods=("zero-shot", "ueo"), seeds=3, **values)


def test_a_protocol_of_drawings_gives_table_commands():
    lines = study_commands(study(shifts=("closed", "open"), lr=0.25)).splitlines()
    for line, shift in zip(lines, ("closed", "open"), strict=True):
        args = parse(line)
        assert (args.command, args.shift, args.domain) == ("table", shift, "night")
        assert (args.backbones, args.methods) == ("drawings-resnet", "zero-shot,ueo")
        assert (args.seeds, args.first_seed, args.epochs, args.lr) == (3, 0, 1, 0.25)
    (line,) = study_commands(study(shifts=("closed", "partial", "open", "open-partial"))).split(
        "\n"
    )
    assert parse(line).shift == "all" and parse(line).lr is None


def test_a_protocol_of_a_dataset_names_its_classes_and_the_labeled_part():
    found = labeled_dataset()
    args = parse(study_commands(study_on(found, shifts=("open",), pretrained="a b.safetensors")))
    assert (args.command, str(args.source), args.shift) == ("protocol", "FOLDER", "open")
    assert read_class_names(args.classes).names == ["ant", "bee", "cow"]
    assert (args.pretrained, args.epochs) == ("a b.safetensors", 1)
    assert parse(study_commands(study_on(found, shifts=("open",), by_share=True))).classes is None
    held = create_dataset(
        "held",
        found.pool,
        classes=("ant", "bee"),
        holdout=found.pool,
        labels={"pool": None, "holdout": found.raw_labels()["pool"]},
    )
    assert str(parse(study_commands(study_on(held, shifts=("open",)))).source) == "TEST"
