"""The baselines in the loop, the registry, and adding a method."""

import pytest
import torch

from tests.training.test_loop import ready, same, settings
from ueo_core.config.methods import (
    DEFAULT_VARIANTS,
    METHODS,
    RUNNABLE,
    VARIANTS,
    Method,
    oracle_weights,
)
from ueo_core.config.settings import Settings
from ueo_core.methods.build_loss import build, feature_method
from ueo_core.training.loop import adapt, image_features
from ueo_core.utils.errors import UserError

BASELINES = [name for name, method in METHODS.items() if method.loss]


def test_the_registry_is_complete():
    assert all(m.title and m.about.endswith(".") and "20" in m.source for m in METHODS.values())
    assert set(RUNNABLE) == {"ueo", "infomax", "entmin", "unient", "pouf", "batclip"}
    assert set(DEFAULT_VARIANTS) <= set(VARIANTS)
    for variant in VARIANTS.values():
        Settings(**({"method": variant.method} if variant.method else {}), **variant.changes)
    assert [n for n, e in VARIANTS.items() if e.oracle] == ["ueo-oracle"]


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_trains_and_is_repeatable(tiny, name):
    model, views, weights = ready(tiny)
    start = image_features(model, views)

    def after():
        model.reset()
        steps = list(adapt(model, views, weights, settings(method=name), start=start))
        return steps, {k: v.clone() for k, v in model.adapter().items()}

    before = {k: v.clone() for k, v in model.adapter().items()}
    steps, first = after()
    assert not same(before, first) and same(first, after()[1])
    assert all(s.entropy > 0 and s.marginal > 0 for s in steps)


@pytest.mark.parametrize("name", BASELINES)
def test_chunking_is_exact_for_a_baseline(tiny, name):
    model, views, weights = ready(tiny)
    start = image_features(model, views)
    found = []
    for chunk in (None, 2):
        model.reset()
        for _ in adapt(
            model, views, weights, settings(method=name, chunk=chunk, epochs=1), start=start
        ):
            pass
        found.append({k: v.clone() for k, v in model.adapter().items()})
    for key in found[0]:
        torch.testing.assert_close(found[1][key], found[0][key], atol=2e-5, rtol=1e-4)


def test_a_method_on_features_has_no_loss_and_a_loss_no_function_on_features():
    with pytest.raises(UserError, match="no loss for a run; use it with the command protocol."):
        build(Settings(method="upl"))
    with pytest.raises(ValueError, match="UEO does not work on cached features"):
        feature_method("ueo")


def test_a_method_that_needs_zero_shot_features_says_so():
    with pytest.raises(ValueError, match="UniEnt needs the pool's zero-shot features"):
        build(Settings(method="unient"))


def test_adding_a_method_needs_one_module_and_one_row(tiny, monkeypatch):
    row = Method("Toy", "Lowers the largest cosine.", "Nobody, 2020", "tests.methods.toy_method")
    monkeypatch.setitem(METHODS, "toy", row)
    model, views, weights = ready(tiny)
    before = image_features(model, views) @ model.encode_text().detach().T
    steps = list(adapt(model, views, weights, settings(method="toy", lr=1.0, epochs=5)))
    after = model.cosines(image_features(model, views)).detach()
    assert after.amax(1).mean() < before.amax(1).mean()
    assert [s.entropy for s in steps] == [0.25] * len(steps)


def test_adding_a_method_on_features_needs_one_module_and_one_row(tiny, monkeypatch):
    row = Method("Toy", "Negates.", "Nobody, 2020", "tests.methods.toy_method", on_features=True)
    monkeypatch.setitem(METHODS, "toy", row)
    model, views, _ = ready(tiny)
    features, calls = image_features(model, views), []
    pool, test = feature_method("toy")(
        model, features[:8], features[8:], settings(method="toy"), lambda: calls.append(1)
    )
    expected = -(features @ model.encode_text().detach().T)
    assert torch.allclose(pool.cosines, expected[:8]) and torch.allclose(test.cosines, expected[8:])
    assert calls == [1]


@pytest.mark.parametrize("name", [n for n, m in METHODS.items() if m.on_features])
def test_a_row_says_whether_its_method_has_a_score_of_its_own(tiny, name):
    model, views, _ = ready(tiny)
    features = image_features(model, views)
    few = settings(method=name, epochs=1)
    for found in feature_method(name)(model, features, features[:4], few, lambda: None):
        assert (found.score is not None) == METHODS[name].own_score
        assert torch.isfinite(found.cosines).all() and not found.cosines.requires_grad


def test_oracle_weights_are_the_papers():
    assert oracle_weights(torch.tensor([True, False])).tolist() == pytest.approx([1.001, 0.001])
