"""The rivals in the loop, and the registry that names them."""

import pytest
import torch

from tests.training.test_loop import adapter_after, ready, same, settings
from ueo_core.config.methods import DEFAULT_VARIANTS, METHODS, RUNNABLE, VARIANTS, oracle_weights
from ueo_core.config.settings import Settings
from ueo_core.methods import objectives_rivals as baselines
from ueo_core.methods.build_loss import Batch, build
from ueo_core.training.loop import adapt, image_features
from ueo_core.utils.errors import UserError

BASELINES = [name for name, method in METHODS.items() if method.loss]


def test_the_registry_is_whole():
    assert all(m.title and m.about.endswith(".") and "20" in m.source for m in METHODS.values())
    assert set(RUNNABLE) == {"ueo", "infomax", "entmin", "unient", "pouf"}
    assert set(DEFAULT_VARIANTS) <= set(VARIANTS)
    for variant in VARIANTS.values():
        Settings(**({"method": variant.method} if variant.method else {}), **variant.changes)
    assert [n for n, e in VARIANTS.items() if e.oracle] == ["ueo-oracle"]


@pytest.mark.parametrize("name", BASELINES)
def test_a_rival_trains_and_is_repeatable(tiny, name):
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
def test_chunking_is_exact_for_a_rival(tiny, name):
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


def test_the_memory_of_dance_holds_what_was_seen_last():
    g = torch.Generator().manual_seed(0)
    unit = lambda n: torch.nn.functional.normalize(torch.randn(n, 8, generator=g), dim=1)  # noqa: E731
    start, text, first, second = unit(5), unit(3), unit(2), unit(2)
    objective = build(settings(method="dance"), start)
    kept = start.clone()
    for features, at in ((first, torch.tensor([0, 3])), (second, torch.tensor([3, 4]))):
        batch = Batch(features, text, 10.0, torch.ones(2), at)
        expected = baselines.dance(features, 10 * features @ text.T, kept, at)
        assert float(objective(batch).total) == pytest.approx(float(expected), abs=1e-6)
        kept[at] = features


def test_a_method_with_a_memory_is_not_resumed(tiny):
    model, views, weights = ready(tiny)
    with pytest.raises(ValueError, match="memory"):
        adapter_after(model, views, weights, settings(method="dance"), done=1)


def test_a_method_on_features_is_no_loss():
    with pytest.raises(UserError, match="protocol"):
        build(Settings(method="upl"))


def test_oracle_weights_are_the_papers():
    assert oracle_weights(torch.tensor([True, False])).tolist() == pytest.approx([1.001, 0.001])
