"""The protocol: rows that can be recomputed, continuing, cancelling, tables."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from ueo_core.config.methods import VARIANTS
from ueo_core.config.settings import Settings
from ueo_core.data.store import Store
from ueo_core.data.transforms import Views
from ueo_core.evaluation import selection
from ueo_core.evaluation.metrics import OOD, evaluate
from ueo_core.methods.ueo import confidence_weights
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.protocol import runner
from ueo_core.protocol.benchmarks import LARGE
from ueo_core.protocol.category_shift import labeled_folder
from ueo_core.protocol.plan import Plan, PlannedCase, check_variants, folder_plan
from ueo_core.protocol.runner import carry_out, measured
from ueo_core.protocol.tables import csv_text, flat, markdown, summary
from ueo_core.training.cached_activations import CachedActivations
from ueo_core.training.loop import adapt, image_features
from ueo_core.utils.errors import UserError

FOLDERS = ("dog", "cat", "house", "zebra", "tree")
CLASSES = ["dog", "cat", "house"]
GIVEN = {"epochs": 1, "batch_size": 8, "lr": 0.01, "device": "cpu"}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A store with 5 folders of 6 random images."""
    g = np.random.default_rng(0)
    files = []
    for name in FOLDERS:
        for i in range(6):
            buffer = io.BytesIO()
            Image.fromarray(g.integers(0, 256, (48, 40, 3), dtype=np.uint8)).save(buffer, "PNG")
            files.append((f"{name}/{i}.png", buffer.getvalue()))
    store = Store(tmp_path_factory.mktemp("store"), 52)
    return store.open(store.ingest_files(files).set_id)


def plan_of(images, variants, shifts=("open-partial",), seeds=(0,), **changes):
    folder = labeled_folder(images, "photos", CLASSES)
    settings = Settings(**(GIVEN | changes))
    return folder_plan(folder, shifts, seeds, variants, settings, frozenset(GIVEN | changes))


@pytest.mark.parametrize("tiny", ["vit"], indirect=True)
def test_every_variant_gives_a_row_of_its_own(tiny, images, tmp_path):
    rows = carry_out(plan_of(images, tuple(VARIANTS)), tiny, tmp_path / "out")
    assert [r["method"] for r in rows] == list(VARIANTS)
    for row in rows:
        assert {"acc", "auc", "hm", "fpr95", "auc_msp"} <= set(row) and 0 <= row["acc"] <= 100
        assert row["n_test"] == 15 and row["n_pool"] == 9 and row["pool"]["acc"] is not None
    by = {r["method"]: r for r in rows}
    # Zero-shot measured a second time, from the images themselves.
    case = labeled_folder(images, "photos", CLASSES).case("open-partial", 0)
    model = AdaptedCLIP(tiny, CLASSES)
    cos = image_features(model, Views(case.test.subset, tiny)) @ model.encode_text().detach().T
    known = case.test.truth != OOD
    assert by["zero-shot"]["acc"] == pytest.approx(
        100
        * np.mean([(cos.argmax(1).numpy() == c)[case.test.truth == c].mean() for c in range(3)]),
        abs=0.01,
    )
    assert by["zero-shot"]["auc_msp"] == pytest.approx(
        100 * roc_auc_score(known, (model.logit_scale * cos).softmax(1).amax(1).numpy()), abs=0.01
    )


@pytest.mark.parametrize("tiny", ["vit"], indirect=True)
def test_a_quick_row_is_what_quick_mode_trains_alone(tiny, images, tmp_path):
    plan = plan_of(images, ("ueo-quick",), epochs=3)
    row = carry_out(plan, tiny, tmp_path / "out")[0]
    case = labeled_folder(images, "photos", CLASSES).case("open-partial", 0)
    model, settings = (
        AdaptedCLIP(tiny, CLASSES, mode="quick"),
        plan.settings_for("ueo-quick", plan.cases[0]),
    )
    pool, test = (
        CachedActivations(Views(part.subset, tiny), model, "float32")
        for part in (case.pool, case.test)
    )
    text = model.encode_text().detach()
    weights = confidence_weights(image_features(model, pool) @ text.T, model.logit_scale, "scaled")
    rows = pool.rows.clone(), test.rows.clone()
    for _ in adapt(model, pool, weights, settings):
        pass
    assert all((a == b.rows).all() for a, b in zip(rows, (pool, test), strict=True))
    cos = (image_features(model, test) @ model.encode_text().detach().T).numpy()
    assert row["auc"] == pytest.approx(
        measured(cos, case.test.truth, CLASSES, model.logit_scale)["auc"], abs=0.01
    )


@pytest.mark.parametrize("tiny", ["resnet"], indirect=True)
def test_goes_on_where_it_was_interrupted(tiny, images, tmp_path):
    plan = plan_of(images, ("zero-shot", "ueo", "upl"), seeds=(0, 1))
    whole = carry_out(plan, tiny, tmp_path / "whole")

    class Left(Exception):
        pass

    seen = []

    def leave():
        if len(list((tmp_path / "out").glob("rows/*.json"))) == 4:
            raise Left

    with pytest.raises(Left):
        carry_out(plan, tiny, tmp_path / "out", lambda *p: seen.append(p), leave)
    done = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("rows/*.json")}
    again = carry_out(plan, tiny, tmp_path / "out")
    same = lambda rows: [{k: v for k, v in r.items() if k != "seconds"} for r in rows]  # noqa: E731
    assert same(again) == same(whole)
    assert all(p.stat().st_mtime_ns == t for p, t in done.items())
    assert all(0 <= d <= total for d, total, _ in seen)
    assert [d for d, _, _ in seen] == sorted(d for d, _, _ in seen)
    # Nothing is left to do.
    assert same(carry_out(plan, tiny, tmp_path / "out")) == same(whole)
    kept = json.loads((tmp_path / "out" / "table.json").read_text(encoding="utf-8"))
    assert same(kept["rows"]) == same(whole)


@pytest.mark.parametrize("tiny", ["vit"], indirect=True)
def test_another_protocol_or_other_files_are_refused(tiny, images, tmp_path):
    carry_out(plan_of(images, ("zero-shot",)), tiny, tmp_path / "out")
    with pytest.raises(UserError, match="other settings"):
        carry_out(plan_of(images, ("zero-shot",), lr=0.5), tiny, tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("x")
    with pytest.raises(UserError, match="holds no protocol"):
        carry_out(plan_of(images, ("zero-shot",)), tiny, tmp_path / "full")
    with pytest.raises(UserError, match="magic"):
        check_variants(["ueo", "magic"])


def test_settings_ablation_over_given_over_the_methods_own():
    planned = PlannedCase("open", 5, lambda: None, 100, 10)
    real = Settings(trade=0.5, backbone="RN50-quickgelu")
    plan = Plan(real, frozenset({"trade"}), ("ueo",), (planned,), {})
    assert plan.settings_for("upl", planned).lr == 2e-3
    assert (
        plan.settings_for("ueo", planned).trade == 0.5
        and plan.settings_for("ueo", planned).seed == 5
    )
    assert plan.settings_for("ueo-no-marginal", planned).trade == 0
    assert plan.settings_for("ueo-released", planned).weight_temperature == "released"
    chosen = Plan(real.changed(lr=0.3), frozenset({"lr"}), (), (), {})
    assert chosen.settings_for("upl", planned).lr == 0.3
    teaching = Plan(Settings.for_backbone("drawings-vit"), frozenset(), (), (), {})
    assert teaching.settings_for("upl", planned).lr == teaching.settings.lr
    assert teaching.settings_for("upl", planned).epochs == teaching.settings.epochs
    # Its rates are its module's, so the epochs that go with them are its own, too.
    assert teaching.settings_for("cola", planned).epochs == 15
    auto = replace(teaching, settings=teaching.settings.changed(lr="auto"), given=frozenset({"lr"}))
    assert auto.settings_for("upl", planned).lr == 2e-3
    assert auto.settings_for("ueo", planned).automatic
    large = PlannedCase("open", 0, lambda: None, LARGE + 1, 10)
    assert plan.settings_for("ueo", large).epochs == 5
    assert plan.settings_for("ueo", planned).epochs == 50


@pytest.mark.usefixtures("any_pool")
@pytest.mark.parametrize("tiny", ["vit"], indirect=True)
def test_a_row_that_chooses_its_rate_has_the_last_epoch_and_the_recommended_model(
    tiny, images, tmp_path, monkeypatch
):
    """The last epoch is that of a row at the given rate; the other is what the choice names."""
    monkeypatch.setattr(selection, "FEW_IMAGES", 0)
    plan = plan_of(images, ("zero-shot", "infomax", "rosita", "upl"), epochs=4, lr="auto")
    zero, infomax, rosita, upl = carry_out(plan, tiny, tmp_path / "out")
    for row in (zero, upl):  # nothing is chosen
        assert not {"lr", "model", "recommended"} & set(row)
    for row in (infomax, rosita):
        (fixed,) = carry_out(
            plan_of(images, (row["method"],), epochs=4, lr=row["lr"]),
            tiny,
            tmp_path / row["method"],
        )
        assert all(row[k] == fixed[k] for k in ("acc", "auc", "hm", "pool"))
    assert rosita["model"] == "zero-shot"
    assert rosita["recommended"] == {k: zero[k] for k in rosita["recommended"]}
    # The recommended model a second time, from the images themselves.
    case = labeled_folder(images, "photos", CLASSES).case("open-partial", 0)
    model, pool = AdaptedCLIP(tiny, CLASSES), Views(case.pool.subset, tiny)
    start = image_features(model, pool)
    weights = confidence_weights(model.cosines(start).detach(), model.logit_scale, "scaled")
    settings = plan.settings_for("infomax", plan.cases[0]).changed(lr=infomax["lr"])
    for step in adapt(model, pool, weights, settings):
        if str(step.step) == infomax["model"]:
            break
    else:
        pytest.fail("the recommended model is no step of the run")
    cosines = model.cosines(image_features(model, Views(case.test.subset, tiny))).detach().numpy()
    found = measured(cosines, case.test.truth, CLASSES, model.logit_scale)
    assert infomax["recommended"] == pytest.approx(found, abs=0.01)
    lines = markdown([zero, infomax, rosita, upl])
    assert f"| {infomax['lr']:g} |" in lines[3] and "| – |" in lines[5]


@pytest.mark.parametrize("tiny", ["vit"], indirect=True)
def test_the_recommended_model_is_measured_as_itself(tiny, images, tmp_path):
    """Zero-shot is recommended: its figures stand there, and the last epoch's beside them."""
    plan = plan_of(images, ("zero-shot", "infomax"), epochs=4, lr="auto")
    zero, row = carry_out(plan, tiny, tmp_path / "few")  # 9 images are too few to conclude from
    assert row["model"] == "zero-shot" and row["hm"] != zero["hm"]
    assert row["recommended"] == {k: zero[k] for k in row["recommended"]}


@pytest.mark.parametrize("tiny", ["vit"], indirect=True)
def test_rows_whose_every_rate_diverges_recommend_zero_shot(tiny, images, tmp_path, monkeypatch):
    def diverging(*args, **more):
        raise FloatingPointError("training diverges at every rate that was tried")

    monkeypatch.setattr(runner, "adapt_automatically", diverging)
    plan = plan_of(images, ("zero-shot", "infomax"), lr="auto")
    zero, row = carry_out(plan, tiny, tmp_path / "out")
    assert row["lr"] is None and row["model"] == "zero-shot" and row["hm"] is None
    assert "diverges" in row["note"]
    assert row["recommended"] == {k: zero[k] for k in row["recommended"]}


@pytest.mark.parametrize("tiny", ["resnet"], indirect=True)
def test_rows_that_choose_their_rates_go_on_where_they_were_interrupted(tiny, images, tmp_path):
    plan = plan_of(images, ("ueo", "entmin"), epochs=2, lr="auto")
    whole = carry_out(plan, tiny, tmp_path / "whole")

    class Left(Exception):
        pass

    calls = []

    def leave():  # in the middle of the second row
        calls.append(len(list((tmp_path / "out").glob("rows/*.json"))))
        if calls.count(1) > 5:
            raise Left

    with pytest.raises(Left):
        carry_out(plan, tiny, tmp_path / "out", check=leave)
    (first,) = (tmp_path / "out" / "rows").glob("*.json")
    stamp = first.stat().st_mtime_ns
    seen = []
    again = carry_out(plan, tiny, tmp_path / "out", lambda *told: seen.append(told))
    same = lambda rows: [{k: v for k, v in r.items() if k != "seconds"} for r in rows]  # noqa: E731
    assert same(again) == same(whole) and first.stat().st_mtime_ns == stamp
    assert all(0 <= done <= total for done, total, _ in seen)
    kept = json.loads((tmp_path / "out" / "table.json").read_text(encoding="utf-8"))
    assert same(kept["rows"]) == same(whole)


def test_a_row_that_chooses_its_rate_costs_the_search_too():
    planned = PlannedCase("open", 0, lambda: None, 64, 10)
    fixed = Plan(Settings(epochs=8, batch_size=8), frozenset(), (), (planned,), {})
    auto = replace(fixed, settings=fixed.settings.changed(lr="auto"))
    # 64 steps; the search takes 5 rates to step 8, and 3 of them to step 16.
    assert fixed.cost("ueo", planned) == 3 * 8 * 64 + 74
    assert auto.cost("ueo", planned) == 3 * 8 * 64 * (1 + 64 / 64) + 74
    assert auto.cost("zero-shot", planned) == fixed.cost("zero-shot", planned)
    assert not auto.chooses_rate("upl", planned) and auto.chooses_rate("ueo-affine", planned)


def test_measured_has_both_scores():
    g = np.random.default_rng(0)
    cosines, truth = g.uniform(0, 0.4, (50, 4)), g.integers(-1, 4, 50)
    found = measured(cosines, truth, list("abcd"), 30.0)
    e = np.exp(30 * cosines)
    msp = (e / e.sum(1, keepdims=True)).max(1)
    assert found["auc_msp"] == pytest.approx(100 * roc_auc_score(truth >= 0, msp), abs=1e-3)
    assert found["hm"] == pytest.approx(
        2 * found["acc"] * found["auc"] / (found["acc"] + found["auc"]), abs=0.01
    )
    assert found["ece"] == pytest.approx(
        evaluate(cosines, truth, list("abcd"), 30.0)["ece"], abs=1e-3
    )
    own = measured(cosines, truth, list("abcd"), 30.0, own_score=np.where(truth < 0, 0.0, 1.0))
    assert own["auc"] == 100 and own["fpr95"] == 0 and own["auc_msp"] == found["auc_msp"]
    assert own["hm"] == pytest.approx(200 * found["acc"] / (100 + found["acc"]), abs=0.01)
    assert measured(cosines, np.abs(truth), list("abcd"), 30.0)["auc"] is None


def row(method, seed, acc, auc, **more):
    one = {
        "acc": acc,
        "auc": auc,
        "hm": acc,
        "fpr95": 100 - acc,
        "ece": acc / 4,
        "auc_msp": auc,
        "hm_msp": acc,
        "fpr95_msp": 100 - acc,
    }
    return {
        "backbone": "m",
        "shift": "open",
        "method": method,
        "seed": seed,
        "n_pool": 4,
        "n_test": 4,
        "seconds": 2.0,
        "pool": one,
        **one,
        **more,
    }


def test_summary_is_mean_and_sample_deviation():
    rows = [row("ueo", 0, 60.0, 70.0), row("ueo", 1, 64.0, None), row("entmin", 0, 50.0, 71.0)]
    ueo, entmin = summary(rows)
    assert ueo["mean"]["acc"] == 62 and ueo["deviation"]["acc"] == pytest.approx(8**0.5)
    assert ueo["mean"]["auc"] == 70 and ueo["deviation"]["auc"] is None and ueo["seeds"] == 2
    assert entmin["deviation"]["acc"] is None and ueo["mean"]["pool_acc"] == 62
    assert ueo["worst"] is None  # there is no zero-shot row to compare with
    lines = markdown(rows)
    assert len(lines) == 4 and "| **62.0 ± 2.8** | 70.0 |" in lines[2]


def test_the_oracle_does_not_compete_and_lower_fpr95_is_better():
    lines = markdown([row("ueo", 0, 60.0, 70.0), row("ueo-oracle", 0, 90.0, 95.0)])
    assert (
        "| **60.0** | **70.0** | **60.0** | **40.0** | **15.0** |" in lines[2]
        and "**" not in lines[3]
    )


def test_stability_is_the_least_gain_of_a_seed_over_zero_shot_of_that_seed():
    zero = [row("zero-shot", 0, 50.0, 70.0), row("zero-shot", 1, 60.0, 70.0)]
    ueo = [row("ueo", 0, 55.0, 70.0), row("ueo", 1, 58.0, 70.0), row("ueo", 2, 1.0, 70.0)]
    first, second = summary(zero + ueo)
    assert first["worst"] is None and second["worst"] == -2
    lines = markdown(zero + ueo)
    assert lines[0].endswith("| worst gain in HM | seconds |") and "| -2.0 | 2 |" in lines[3]
    assert "| – | 2 |" in lines[2]


def test_the_table_of_chosen_rates_has_the_recommended_model_beside_the_last_epoch():
    figures = dict.fromkeys(row("ueo", 0, 1.0, 1.0)["pool"], 61.0)
    zero = [row("zero-shot", 0, 60.0, 70.0), row("zero-shot", 1, 60.0, 70.0)]
    ueo = [
        row("ueo", 0, 50.0, 70.0, lr=0.25, recommended=figures, evidence=3.5),
        row("ueo", 1, 70.0, 70.0, lr=1.0, recommended=figures | {"hm": 65.0}, evidence=3.75),
    ]
    entry = summary(zero + ueo)[1]
    assert entry["mean"]["recommended_hm"] == 63 and entry["rates"] == [0.25, 1.0]
    assert entry["worst"] == -10 and entry["worst_recommended"] == 1
    lines = markdown(zero + ueo)
    heads = ("HM, recommended", "evidence, recommended", "worst gain in HM")
    heads += ("worst gain, recommended", "learning rates")
    assert f"| {' | '.join(heads)} | seconds |" in lines[0]
    assert lines[3].endswith("| **63.0 ± 2.8** | **3.62 ± 0.18** | -10.0 | +1.0 | 0.25 to 1 | 2 |")
    assert lines[2].endswith("| – | – | – | – | – | 2 |")
    assert "recommended" not in markdown(zero)[0]  # a table at given rates is as it was
    assert flat(ueo[0])["recommended_hm"] == 61.0


def test_rows_of_an_earlier_version_have_no_calibration():
    old = {k: v for k, v in row("ueo", 0, 60.0, 70.0).items() if k != "ece"}
    assert summary([old])[0]["mean"]["ece"] is None


def test_csv_has_one_line_a_row_with_the_numbers():
    rows = [row("ueo", 0, 60.0, None), row("ueo", 1, 64.0, 71.5, note="diverged: x")]
    lines = list(csv.DictReader(io.StringIO(csv_text(rows))))
    assert [line["acc"] for line in lines] == ["60.0", "64.0"]
    assert lines[0]["auc"] == "" and lines[1]["pool_auc"] == "71.5"
    assert lines[1]["note"] == "diverged: x" and flat(rows[0])["pool_acc"] == 60.0


@pytest.mark.parametrize("tiny", ["resnet"], indirect=True)
def test_every_world_starts_from_zero_shot_whatever_its_classes(
    tiny, images, tmp_path, monkeypatch
):
    """A planned with other classes gets a model of its own; what the last one learned must be gone."""
    first = plan_of(images, ("zero-shot", "infomax"), epochs=2, lr=0.5)
    other = labeled_folder(images, "photos", ["tree", "zebra", "cat"])
    second = folder_plan(
        other, ("open-partial",), (1,), ("zero-shot", "infomax"), first.settings, first.given
    )
    made = []
    real = AdaptedCLIP.__init__

    def noted(self, *args, **more):
        real(self, *args, **more)
        made.append(self)

    monkeypatch.setattr(AdaptedCLIP, "__init__", noted)
    carry_out(replace(first, cases=(*first.cases, *second.cases)), tiny, tmp_path / "both")
    assert [m.classes for m in made] == [CLASSES, ["tree", "zebra", "cat"]]
    one, two = (m.original for m in made)
    assert all((one[name] == two[name]).all() for name in one)
