"""Every sentence of the story and every answer to an exercise, tied to a computation.

A sentence names its test (`check`): the test `test_<check>` computes what the sentence says.
"""

import re

import numpy as np
import open_clip
import pytest
import torch
from open_clip.model import CLIP

from ueo_core.config.settings import Settings
from ueo_core.data.transforms import Views
from ueo_core.drawings.sample import problem
from ueo_core.learn import sentence_numbers as n
from ueo_core.learn.demo import (
    Demo,
    RenderedImages,
    count_guesses,
    draw_eight,
    threshold_at,
    zero_shot_densities,
)
from ueo_core.learn.formula import EXERCISES, GLOSSARY, LOSS, PARTS, SYMBOLS, latex
from ueo_core.learn.parameter_counts import RN50, VIT, count, total_change
from ueo_core.learn.scenes import SCENES, neighbor
from ueo_core.models.adapted_clip import CONTEXT, AdaptedCLIP
from ueo_core.training.loop import adapt


def filled(scene: str, numbers: dict) -> str:
    return " ".join(s.text.format_map(numbers) for s in SCENES[scene].sentences)


# The rules of the story


def test_every_sentence_and_answer_has_its_computation():
    ties = {s.check for scene in SCENES.values() for s in scene.sentences}
    ties |= {e.check for e in EXERCISES}
    from tests.learn import test_terms

    tests = {*globals(), *vars(test_terms)}
    missing = {t for t in ties if f"test_{t}" not in tests}
    assert not missing


def test_at_most_three_sentences_and_one_task():
    for scene in SCENES.values():
        assert 1 <= len(scene.sentences) <= 3
        assert scene.task
        assert (scene.look is not None) == (scene.picture == "triangle")


def test_forward_and_back_stay_within_the_story():
    order = list(SCENES)
    assert [neighbor(k, 1) for k in order] == [*order[1:], order[-1]]
    assert [neighbor(k, -1) for k in order] == [order[0], *order[:-1]]


def test_symbols_and_glossary_lead_to_scenes():
    assert {s.scene for s in SYMBOLS.values()} <= SCENES.keys()
    assert {"EntMin", "InfoMax", "UEO", "AUC", "ACC"} <= GLOSSARY.keys()


def test_every_symbol_of_the_formula_can_be_told_by_its_color():
    text = latex(LOSS) + latex(*PARTS)
    assert "«" not in text
    for number, symbol in enumerate(SYMBOLS.values(), 1):
        boxed = rf"\textcolor{{#{number:06x}}}{{\boxed{{{symbol.tex}}}}}"
        assert text.count(f"#{number:06x}") == text.count(boxed) >= 1


# 1 and 2: eight drawings


def feature(demo: Demo, i: int) -> torch.Tensor:
    return demo.model.encode_image(Views(RenderedImages(demo), demo.model.backbone).evaluation([i]))


def test_closest_sentence(demo):
    i = draw_eight(demo, 0)[0]
    with torch.no_grad():
        distances = torch.cdist(feature(demo, i), demo.model.encode_text())[0]
    assert demo.prediction(i) == demo.problem.classes[int(distances.argmin())]
    np.testing.assert_allclose(demo.cosines_of(demo.pixels(i)), demo.cosines[i], atol=1e-5)
    assert f"each of {len(demo.problem.classes)} classes" in filled("guess", n.of_eight(demo, 0))


def test_always_predicts_a_class(demo):
    assert {demo.prediction(i) for i in range(len(demo.truth))} <= set(demo.problem.classes)


def test_confidence_above_half(demo):
    for draw in range(5):
        chosen = draw_eight(demo, draw)
        p = np.exp(demo.scale * demo.cosines[chosen])
        sure = int(((p / p.sum(1, keepdims=True)).max(1) > 0.5).sum())
        assert f"above 50 % for {sure} of these 8" in filled("guess", n.of_eight(demo, draw))


def test_unknown_among_eight(demo):
    for draw in range(20):
        nouns = [demo.problem.test[i] for i in draw_eight(demo, draw)]
        assert len(set(nouns)) == 8
        outside = sum(noun not in demo.problem.classes for noun in nouns)
        assert filled("strangers", n.of_eight(demo, draw)).startswith(f"{outside} of these 8")


def test_reveal(demo):
    chosen = draw_eight(demo, 4)
    ood = [k for k, i in enumerate(chosen) if demo.problem.test[i] not in demo.problem.classes]
    known = [k for k in range(8) if k not in ood]
    ticks = 1 << ood[0] | 1 << known[0]
    hidden = filled("strangers", n.of_eight(demo, 4, ticks))
    text = filled("strangers", n.of_eight(demo, 4, ticks, revealed=True))
    for k in ood:
        name = demo.problem.test[chosen[k]]
        assert name in text and name not in hidden
    sure = [demo.confidence([chosen[k] for k in group]).mean() for group in (ood, known)]
    assert re.findall(r"(\d+) %", text) == [f"{100 * s:.0f}" for s in sure]
    assert f"Marked correctly: 1 of {len(ood)}, with 1 false alarm." in text
    assert count_guesses(demo, chosen, set(ood)) == {
        "correct": 3,
        "false_alarms": 0,
        "unknown": 3,
    }


# 3: the score distributions


def test_one_score(demo):
    assert demo.score.shape == (len(demo.problem.test),)
    plain = np.exp(demo.cosines.astype(float))
    np.testing.assert_allclose(demo.score, (plain / plain.sum(1, keepdims=True)).max(1))
    # The larger the best cosine beside the others, the larger the score.
    better = demo.cosines[0].copy()
    better[better.argmax()] += 0.05
    p = np.exp(better.astype(float))
    assert (p / p.sum()).max() > demo.score[0]


def test_auc_is_pairs(demo):
    known, unknown = demo.score[demo.truth >= 0], demo.score[demo.truth < 0]
    pairs = np.mean([(k > s) + 0.5 * (k == s) for k in known for s in unknown])
    assert demo.auc == pytest.approx(100 * pairs)
    assert f"in {100 * pairs:.0f} of 100" in filled("hills", n.of_scores(demo, 5))


@pytest.mark.parametrize("below", [0, 5, 37, 100])
def test_threshold(demo, below):
    found = threshold_at(demo, below)
    known, unknown = demo.score[demo.truth >= 0], demo.score[demo.truth < 0]
    assert found.known_accepted == pytest.approx(100 - below, abs=100 / known.size)
    assert found.unknown_accepted == pytest.approx(100 * np.mean(unknown >= found.threshold))
    assert f"accepts {found.known_accepted:.0f} %" in filled("hills", n.of_scores(demo, below))


def test_score_densities_have_area_one(demo):
    found = zero_shot_densities(demo)
    for values in found.density.values():
        assert np.trapezoid(values, found.x) == pytest.approx(1, abs=0.03)


# 7 and 8: the live run and the trained parameters


def test_sample_problem():
    chosen = problem()
    text = filled("live", {"classes": len(chosen.classes), "pool": len(chosen.pool)})
    assert f"{len(chosen.classes)} class names and {len(chosen.pool)} drawings" in text
    assert any(noun not in chosen.classes for noun in chosen.pool)


def test_a_step_changes_little(tiny):
    """One step takes one batch, reports both terms and changes the trained parameters a little."""
    from tests.conftest import Arrays

    model = AdaptedCLIP(tiny, ["cat", "dog", "cup"])
    views = Views(Arrays(12), tiny)
    settings = Settings(epochs=1, batch_size=6, lr=1e-3)
    steps = list(adapt(model, views, torch.rand(12) * 0.6 + 0.4, settings))
    assert [len(s.batch) for s in steps] == [6, 6]
    assert all(s.loss == pytest.approx(s.entropy - s.marginal) for s in steps)
    change = total_change(model.adapter(), model.original)
    assert 0 < change < 5


def test_only_the_adapter_changes(tiny):
    from tests.conftest import Arrays

    model = AdaptedCLIP(tiny, ["cat", "dog", "cup"])
    before = {k: v.clone() for k, v in tiny.model.state_dict().items()}
    settings = Settings(epochs=1, batch_size=6, lr=0.1)
    list(adapt(model, Views(Arrays(12), tiny), torch.rand(12) * 0.6 + 0.4, settings))
    now = {f"visual.{k}": v for k, v in model.visual.state_dict().items()}
    changed = {k for k, v in now.items() if not torch.equal(v, before[k])}
    norms = {k for k in model.adapter() if k != CONTEXT}
    assert changed and changed <= norms
    assert all(torch.equal(v, before[k]) for k, v in tiny.model.state_dict().items())
    assert not torch.equal(model.context, model.original[CONTEXT])


@pytest.mark.parametrize(
    ("name", "counted"), [("ViT-B-16-quickgelu", VIT), ("RN50-quickgelu", RN50)]
)
def test_counts_of_vit(name, counted):
    with torch.device("meta"):
        model = CLIP(**open_clip.get_model_config(name))
    norms = [
        m
        for m in model.visual.modules()
        if isinstance(m, (torch.nn.LayerNorm, torch.nn.modules.batchnorm._BatchNorm))
    ]
    affine = sum(m.weight.numel() + m.bias.numel() for m in norms)
    width = model.token_embedding.embedding_dim
    assert counted.trained == affine + 4 * width
    assert counted.total == sum(p.numel() for p in model.parameters())
    assert counted.kilobytes == pytest.approx(counted.trained * 4 / 1000)
    assert "41,984 of 149,620,737 parameters: a file of 168 kB" in SCENES["moved"].sentences[
        1
    ].text.format_map(
        {"vit_trained": f"{VIT.trained:,}", "vit_all": f"{VIT.total:,}", "vit_kb": "168"}
    )


def test_counts_of_own(demo):
    own = count(demo.model)
    parts = {k: v.clone() for k, v in demo.model.adapter().items()}
    assert own.trained == sum(v.numel() for v in parts.values())
    assert own.total - demo.model.context.numel() == sum(
        p.numel() for p in demo.model.backbone.model.parameters()
    )
    adapter = {k: 1.02 * v for k, v in parts.items()}
    assert total_change(adapter, parts) == pytest.approx(2, rel=1e-4)
    text = filled("moved", n.of_trained(demo, 7, adapter))
    assert "at step 7 of the live run they have changed by 2.0 %" in text
    assert f"{own.trained:,} of {own.total:,}" in text
    unchanged = filled("moved", n.of_trained(demo, 0, parts))
    assert "none of them changes before the live run" in unchanged and "at step" not in unchanged
    layers = demo.change_by_layer(adapter)
    assert all(v == pytest.approx(0.02, rel=1e-3) for v in layers.values() if v)
    assert torch.equal(demo.model.context, parts[CONTEXT])  # reset after use
