"""The estimator: the command line's own numbers, every form of images, errors about arguments."""

import csv
import inspect
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import ueo_core as ueo
from tests.helpers.wide_gamut import save_wide
from ueo_core.cli.main import main
from ueo_core.config.settings import SETTINGS
from ueo_core.evaluation.guard_rule import Choice
from ueo_core.runs.folder import RunFolder

CLASSES = ["dog", "wild cat", "cup"]


def pixels(n: int, seed: int = 0, size: tuple[int, int] = (40, 48)) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (n, 5, 6, 3), dtype=np.uint8)
    return coarse.repeat(size[0] // 5, 1).repeat(size[1] // 6, 2)


def folder_of(root: Path, arrays: np.ndarray, names=None) -> Path:
    for i, array in enumerate(arrays):
        path = root / (names[i] if names else f"{i:02d}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(path)
    return root


@pytest.fixture
def options(tiny_files):
    config, weights = tiny_files["resnet"]
    return {
        "backbone": str(config),
        "pretrained": str(weights),
        "classes": CLASSES,
        "epochs": 2,
        "batch_size": 5,
        "lr": 0.05,
        "device": "cpu",
        "progress": False,
    }


@pytest.fixture
def fitted(options):
    return ueo.UEO(**options).fit(pixels(12))


def same(a: ueo.UEO, b: ueo.UEO) -> bool:
    ours, theirs = a.model_.adapter(), b.model_.adapter()
    return all(torch.equal(v, theirs[k]) for k, v in ours.items())


def test_fit_is_what_the_command_line_does(options, tmp_path, capsys):
    photos = folder_of(tmp_path / "photos", pixels(12))
    model = ueo.UEO(**options).fit(photos)
    words = ["adapt", photos, "--classes", ",".join(CLASSES), "--out", tmp_path / "run"]
    words += ["--backbone", options["backbone"], "--pretrained", options["pretrained"]]
    words += ["--epochs", 2, "--batch-size", 5, "--lr", 0.05, "--device", "cpu"]
    assert main([*map(str, words), "--store", str(tmp_path / "store"), "--json"]) == 0
    run = RunFolder.open(tmp_path / "run")
    last = run.checkpoint(run.checkpoints()[-1])
    assert len(model.history_) == run.checkpoints()[-1] == 6
    for name, value in model.model_.adapter().items():
        assert torch.equal(value, last[name]), name
    losses = [e["loss"] for e in run.events() if e["kind"] == "step"]
    assert [s["loss"] for s in model.history_] == losses
    own = ueo.UEO.load(tmp_path / "run" / "delta.safetensors")
    assert same(own, model) and own.threshold_ == model.threshold_
    assert (own.guard_ or {}).get("share") == (model.guard_ or {}).get("share")
    with open(tmp_path / "run" / "predictions.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = model.predict(photos)
    assert [r["prediction"] for r in rows] == list(found.label)
    assert [bool(int(r["unknown"])) for r in rows] == list(found.is_unknown)


def test_what_is_saved_here_opens_on_the_command_line_and_here(fitted, tmp_path, capsys):
    fitted.save(tmp_path / "pets.safetensors")
    photos = folder_of(tmp_path / "new", pixels(5, seed=3))
    words = ["predict", tmp_path / "pets.safetensors", photos, "--csv", tmp_path / "p.csv"]
    assert main([*map(str, words), "--store", str(tmp_path / "store")]) == 0
    with open(tmp_path / "p.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = fitted.predict(photos)
    assert [r["prediction"] for r in rows] == list(found.label)
    np.testing.assert_allclose([float(r["score"]) for r in rows], found.score, atol=1e-7)
    again = ueo.UEO.load(tmp_path / "pets.safetensors")
    assert same(again, fitted) and again.get_params()["lr"] == 0.05
    assert list(again.predict(photos).label) == list(found.label)
    for model in ("recommended", "zero-shot"):
        np.testing.assert_array_equal(
            again.predict(photos, model).cosines, fitted.predict(photos, model).cosines
        )


def test_any_number_of_images_are_predicted_into_parts(fitted, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    photos = folder_of(tmp_path / "new", pixels(9, seed=3))
    for model in ("adapted", "zero-shot"):
        out = tmp_path / model
        written = fitted.predict_stream(photos, out, model, top=2, features="float32", processes=0)
        found, rows = fitted.predict(photos, model), parquet.read_table(out).to_pylist()
        assert written.files == 9 and written.unknown == int(found.is_unknown.sum())
        assert [row["prediction"] for row in rows] == list(found.label)
        np.testing.assert_allclose([row["score"] for row in rows], found.score, atol=1e-7)
        seen = np.array([row["features"] for row in rows])
        np.testing.assert_allclose(seen, found.features, atol=1e-6)
    with pytest.raises(ValueError, match="another model"):
        fitted.predict_stream(photos, tmp_path / "adapted", "zero-shot", top=2, processes=0)


class Dataset:
    """Map-style, with labels that nobody may read."""

    def __init__(self, arrays):
        self.arrays = arrays

    def __len__(self):
        return len(self.arrays)

    def __getitem__(self, i):
        return Image.fromarray(self.arrays[i]), Unreadable()


class Unreadable:
    def __getattribute__(self, name):
        raise AssertionError("a label was read")


def test_every_form_of_the_same_images_gives_the_same_model(options, tmp_path):
    arrays = pixels(12)
    photos = folder_of(tmp_path / "photos", arrays)
    paths = sorted(photos.iterdir())
    forms = [arrays, [Image.fromarray(a) for a in arrays], paths, photos, Dataset(arrays)]
    made = [ueo.UEO(**options).fit(form) for form in forms]
    assert all(same(model, made[0]) for model in made[1:])
    said = [model.predict(form).cosines for model, form in zip(made, forms, strict=True)]
    assert all(np.array_equal(s, said[0]) for s in said[1:])


def test_y_is_never_read(options):
    assert same(
        ueo.UEO(**options).fit(pixels(12), [Unreadable()] * 12), ueo.UEO(**options).fit(pixels(12))
    )


def test_predictions_are_rows_arrays_and_a_table(fitted, tmp_path):
    found = fitted.predict(pixels(7, seed=2))
    assert len(found) == 7 and found.proba.shape == (7, 3)
    np.testing.assert_allclose(found.proba.sum(1), 1)
    scale = fitted.model_.logit_scale
    logits = scale * found.cosines.astype(float)
    expected = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(found.proba, expected / expected.sum(1, keepdims=True))
    assert list(found.label) == [CLASSES[i] for i in found.cosines.argmax(1)]
    plain = np.exp(found.cosines.astype(float))
    np.testing.assert_allclose(found.score, (plain / plain.sum(1, keepdims=True)).max(1), rtol=1e-6)
    assert list(found.is_unknown) == [s < fitted.threshold_ for s in found.score]
    rows = list(found)
    assert [r.label for r in rows] == list(found.label) and rows[2].is_unknown == found.is_unknown[
        2
    ]
    assert accuracy_score(found.label, found) == 1.0
    assert list(fitted.predict_proba(pixels(7, seed=2))[0]) == list(found.proba[0])
    assert list(fitted.decision_function(pixels(7, seed=2))) == list(found.score)
    found.to_csv(tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_text(encoding="utf-8").count("\n") == 8
    assert repr(found).startswith("<ImagePredictions: 7 images, 3 classes, ")


def test_evaluate_by_folders_by_names_and_by_hand(fitted, tmp_path):
    arrays = pixels(8, seed=5)
    labels = ["dog", "dog", "wild cat", "wild cat", "cup", "cup", "stone", "stone"]
    test = folder_of(tmp_path, arrays, [f"{label}/{i}.png" for i, label in enumerate(labels)])
    found = fitted.evaluate(arrays, labels)
    assert fitted.evaluate(test)["per_class"] == found["per_class"]
    said = fitted.predict(arrays)
    recalls = [np.mean([said.label[i] == c for i in range(8) if labels[i] == c]) for c in CLASSES]
    assert found["acc"] == pytest.approx(100 * np.mean(recalls))
    known = said.score[:6]
    wins = np.mean([(k > u) + 0.5 * (k == u) for k in known for u in said.score[6:]])
    assert found["auc"] == pytest.approx(100 * wins)
    assert (found["n_id"], found["n_ood"]) == (6, 2)
    assert fitted.score(arrays, labels) == pytest.approx(found["acc"] / 100)
    zero = fitted.predict(arrays, "zero-shot")
    assert found["zero_shot"]["acc"] == pytest.approx(
        100
        * np.mean(
            [np.mean([zero.label[i] == c for i in range(8) if labels[i] == c]) for c in CLASSES]
        )
    )
    partly = fitted.evaluate(arrays, labels[:6] + [None, None])
    assert partly["auc"] is None and partly["n_ood"] == 0


def test_it_is_a_scikit_learn_estimator(options):
    model = ueo.UEO(**options)
    other = clone(model)
    assert other.get_params() == model.get_params() and other is not model
    assert other.set_params(lr=0.5).lr == 0.5 and model.lr == 0.05
    assert not hasattr(model, "model_")
    pipeline = make_pipeline(FunctionTransformer(lambda X: X[:, ::-1]), model)
    pipeline.fit(pixels(12))
    np.testing.assert_array_equal(
        np.asarray(pipeline.predict(pixels(12))), model.predict(pixels(12)[:, ::-1]).label
    )
    assert list(model.classes_) == CLASSES
    # A second fit begins anew.
    first = {k: v.clone() for k, v in model.model_.adapter().items()}
    model.fit(pixels(12)[:, ::-1])
    assert all(torch.equal(v, first[k]) for k, v in model.model_.adapter().items())


def test_every_setting_is_an_argument():
    arguments = set(inspect.signature(ueo.UEO).parameters)
    assert arguments == set(SETTINGS) | {"classes", "progress", "store", "srgb"}


def test_the_repr_shows_what_differs(options):
    assert repr(ueo.UEO()) == "UEO()"
    assert repr(ueo.UEO("drawings-vit", classes=["a", "b"], lr=0.1)) == (
        "UEO(backbone='drawings-vit', classes=['a', 'b'], lr=0.1)"
    )


def test_two_estimators_do_not_disturb_each_other(options):
    first = ueo.UEO(**options).fit(pixels(12))
    before = {k: v.clone() for k, v in first.model_.adapter().items()}
    ueo.UEO(**options | {"lr": 0.2}).fit(pixels(12, seed=9))
    assert all(torch.equal(v, before[k]) for k, v in first.model_.adapter().items())


@pytest.mark.parametrize(
    "classes", [{"dog": ["puppy", "hound"], "cat": []}, "dog: puppy, hound\ncat"]
)
def test_further_names_and_templates_are_saved_and_loaded(options, classes, tmp_path):
    chosen = options | {"classes": classes, "templates": "the {}|a photo of a {}."}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ueo.UEO(**chosen).fit(pixels(6))
    assert list(model.classes_) == ["dog", "cat"]
    assert model.model_.texts.names == ["dog", "puppy", "hound", "cat"]
    model.save(tmp_path / "a.safetensors")
    again = ueo.UEO.load(tmp_path / "a.safetensors")
    assert again.classes == {"dog": ["puppy", "hound"], "cat": []}
    assert again.templates == "the {}|a photo of a {}."
    np.testing.assert_array_equal(again.predict_proba(pixels(6)), model.predict_proba(pixels(6)))
    plain = ueo.UEO(**options | {"classes": ["dog", "cat"]}).fit(pixels(6))
    assert np.abs(plain.predict_proba(pixels(6)) - model.predict_proba(pixels(6))).max() > 1e-4


def test_negative_words_change_the_score_and_nothing_else(fitted):
    images, before = pixels(7, seed=2), fitted.model_.adapter_copy()
    score = fitted.decision_function(images, negatives="screenshot, document")
    assert score.shape == (7,) and ((score > 0) & (score < 1)).all()
    more = fitted.decision_function(images, negatives=["screenshot", "document", "map"])
    nouns = fitted.decision_function(images, negatives="common-nouns")
    assert (nouns < score).all()  # a hundred words
    assert (more < score).all()  # every word takes some of the share
    assert all(torch.equal(v, before[k]) for k, v in fitted.model_.adapter().items())
    assert fitted.predict_proba(images).shape == (7, 3)
    with pytest.raises(ValueError, match="Negative words: “dog” is the same text"):
        fitted.decision_function(images, negatives=["dog"])
    with pytest.raises(ValueError, match="Negative words: give at least one"):
        fitted.decision_function(images, negatives=[])


def test_how_a_text_was_read_is_a_warning(options):
    with pytest.warns(UserWarning, match="“AT&amp;T” was read as “AT&T”"):
        ueo.UEO(**options | {"classes": "AT&amp;T, dog"}).fit(pixels(6))


def test_names_of_equal_tokens_are_refused_before_images_are_read(options):
    with pytest.raises(ValueError, match="“schön” and “schÃ¶n” are the same text"):
        ueo.UEO(**options | {"classes": ["schön", "schÃ¶n"]}).fit("nowhere")


def test_a_file_that_is_no_image_is_a_warning_in_a_folder_and_an_error_in_a_list(options, tmp_path):
    photos = folder_of(tmp_path / "photos", pixels(6))
    (photos / "notes.txt").write_text("hello", encoding="utf-8")
    with pytest.warns(UserWarning, match="1 files of .* are not used .*notes.txt"):
        ueo.UEO(**options).fit(photos)
    with pytest.raises(ValueError, match=r"X\[6\] .*notes.txt.*leave it out"):
        ueo.UEO(**options).fit([*sorted(photos.glob("*.png")), photos / "notes.txt"])


@pytest.mark.parametrize(
    ("changes", "X", "message"),
    [
        ({"classes": None}, None, "classes: give a list"),
        ({"classes": "dog"}, None, "Class names: only “dog”"),
        ({"classes": ["dog"]}, None, "Class names: only “dog”"),
        ({"classes": ["dog", 5]}, None, "Class names: 5 is not text"),
        ({"lr": -1.0}, None, r"Learning rate \(lr\): -1.0 is out of range"),
        ({"method": "dance"}, None, "method: DANCE leaves no adapter"),
        (
            {"backbone": "x.json", "pretrained": None},
            None,
            "give a checkpoint file as pretrained",
        ),
        ({}, "nowhere", "nowhere"),
        ({}, pixels(1), "at least two"),
        ({}, pixels(4).astype(float), "uint8"),
        ({}, 5, "X: int is none of the forms"),
        ({}, [object()], r"X\[0\]: object is no image"),
        ({"lr": 100.0, "epochs": 40, "trade": 100.0}, None, None),
    ],
)
def test_bad_arguments_are_value_errors_that_name_them(options, changes, X, message):
    model = ueo.UEO(**options | changes)
    if message is None:  # whatever happens, no traceback of torch
        try:
            model.fit(pixels(12))
        except ValueError as error:
            assert "choose a lower value" in str(error)
        return
    with pytest.raises(ValueError, match=message) as caught:
        model.fit(pixels(4) if X is None else X)
    assert "--" not in str(caught.value) and " page" not in str(caught.value)


def test_before_fit_and_for_unknown_models_it_says_so(fitted, options):
    with pytest.raises(ValueError, match="call fit"):
        ueo.UEO(**options).predict(pixels(2))
    with pytest.raises(ValueError, match="model: 'best' is not known"):
        fitted.predict(pixels(2), model="best")
    with pytest.raises(ValueError, match="3 labels for 2 images"):
        fitted.evaluate(pixels(2), ["dog"] * 3)
    with pytest.raises(ValueError, match="there are no labels"):
        fitted.evaluate(pixels(2))


def test_the_recommended_model_is_the_share_that_the_check_names(options, monkeypatch):
    images = pixels(6, seed=4)
    choice = Choice(0.25, "r", {})
    monkeypatch.setattr("ueo_core.api.estimator.safety_check", lambda *args, **options: choice)
    fitted = ueo.UEO(**options).fit(pixels(12))
    end = fitted.model_.adapter_copy()
    fitted.model_.load_between(0.25, end)
    with torch.no_grad():
        expected = fitted.model_.cosines(
            torch.cat([fitted.model_.encode_image(v) for v in views_of(fitted, images)])
        ).numpy()
    fitted.model_.load_adapter(end)
    np.testing.assert_array_equal(fitted.predict(images, "recommended").cosines, expected)
    assert all(torch.equal(v, end[k]) for k, v in fitted.model_.adapter().items())


@pytest.mark.usefixtures("any_pool")
def test_without_a_rate_one_is_chosen_and_the_recommended_model_can_be_saved(options, tmp_path):
    photos = pixels(12)
    model = ueo.UEO(**(options | {"lr": None})).fit(photos)
    assert model.settings_.lr in {t["lr"] for t in model.trials_}
    assert model.history_[0]["lr"] == model.settings_.lr and len(model.history_) == 6
    evidence = {k: c["evidence"] for k, c in model.guard_["evidence"].items() if c["sound"]}
    # Stored with four digits, so two can look alike.
    assert evidence[model.guard_["model"]] == pytest.approx(max(evidence.values()), abs=2e-4)
    # At that rate, given by hand, the last epoch is the same.
    assert same(ueo.UEO(**(options | {"lr": model.settings_.lr})).fit(photos), model)
    told = model.predict(photos, "recommended")
    model.save(tmp_path / "r.safetensors", model="recommended")
    again = ueo.UEO.load(tmp_path / "r.safetensors")
    np.testing.assert_array_equal(again.predict(photos).cosines, told.cosines)
    assert again.threshold_ == model._recommended_threshold and again.guard_ is None
    model.guard_ = model.guard_ | {"share": 0.5}
    model.save(tmp_path / "last.safetensors")
    with pytest.raises(ValueError, match="holds the last epoch only"):
        ueo.UEO.load(tmp_path / "last.safetensors").predict(photos, "recommended")


def views_of(fitted, images):
    from ueo_core.api.images import open_images
    from ueo_core.data.transforms import Views

    opened = open_images(images, fitted.model_.backbone.store_side)
    return Views(opened.pixels, fitted.model_.backbone).batches()


def test_colors_are_converted_in_every_form_of_files(options, tmp_path):
    """A folder, paths and PIL images; a loaded model reads images as it was fitted."""
    g = np.random.default_rng(0)
    for i in range(4):
        small = Image.fromarray(g.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize((40, 36))
        save_wide(small, tmp_path / f"{i}.png")
    paths = sorted(tmp_path.glob("*.png"))
    model = ueo.UEO(**options, srgb=True).fit(tmp_path)
    model.save(tmp_path / "a.safetensors")
    again = ueo.UEO.load(tmp_path / "a.safetensors")
    assert again.srgb and not ueo.UEO(**options).srgb
    found = model.predict_proba(tmp_path)
    for forms in (paths, [Image.open(p) for p in paths]):
        np.testing.assert_allclose(again.predict_proba(forms), found, atol=1e-6)
    again.srgb = False
    assert np.abs(again.predict_proba(paths) - found).max() > 1e-4


def test_importing_the_package_loads_neither_torch_nor_streamlit():
    code = (
        "import sys, ueo_core as ueo\n"
        "assert 'UEO' in dir(ueo) and ueo.__version__\n"
        "assert not {'torch', 'sklearn', 'streamlit', 'numpy'} & set(sys.modules)\n"
        "ueo.UEO\n"
        "assert 'torch' in sys.modules and 'streamlit' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there_and_none_is_a_module():
    import types

    for name in ueo.__all__:
        assert not isinstance(getattr(ueo, name), types.ModuleType), name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ueo.nothing  # noqa: B018


def test_fit_leaves_the_process_as_it_was(options):
    threads = torch.get_num_threads()
    state = torch.random.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    ueo.UEO(**options).fit(pixels(12))
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002
