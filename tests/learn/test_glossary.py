"""Each entry of the glossary is checked by a test of its name; see test_words.py."""

import math
import re

import numpy as np
import pytest
import torch
from open_clip import get_tokenizer

from tests.learn.test_terms import ENTMIN
from ueo_core.drawings.render import render
from ueo_core.evaluation.metrics import OOD, accuracy, auc, truth_from_labels
from ueo_core.evaluation.ood_scores import mcm
from ueo_core.learn.formula import GLOSSARY
from ueo_core.learn.one_image import cosines_of, image_scores
from ueo_core.learn.simplex import cosines
from ueo_core.methods.ueo import entmin, entropy, infomax, ueo
from ueo_core.models.adapted_clip import CONTEXT


def test_every_word_has_its_computation():
    slugs = {re.sub(r"\W+", "_", word.lower()).strip("_") for word in GLOSSARY}
    assert not {f"test_word_{slug}" for slug in slugs} - globals().keys()


def meaning(word: str, *parts: str) -> None:
    assert all(part in GLOSSARY[word] for part in parts), GLOSSARY[word]


def test_word_clip(demo):
    meaning("CLIP", "an image and its caption have vectors that point in the same direction")
    names = list(demo.problem.classes)
    best = []
    for i, noun in enumerate(names):
        image, _ = render(noun, "painted", np.random.default_rng(i), 64)
        best.append(names[int(cosines_of(demo.model, np.asarray(image.convert("RGB"))).argmax())])
    assert np.mean([a == b for a, b in zip(best, names, strict=True)]) > 0.9


def test_word_zero_shot(demo):
    meaning("Zero-shot", "Without training on the task", "the closest sentence is the prediction")
    demo.prediction(0)
    for key, value in demo.model.adapter().items():
        assert torch.equal(value, demo.model.original[key])
    assert demo.prediction(0) == demo.problem.classes[int(demo.cosines_at([0])[0].argmax())]


def test_word_cosine():
    meaning("Cosine", "1 for the same direction, 0 at a right angle")
    classes = torch.tensor([[1.0, 0, 0, 1, 1], [0, 1.0, 0, 1, 1], [0, 0, 1.0, 1, 1]])
    found = cosines(3 * classes, torch.zeros(1, 5), torch.zeros(1, 5))[0]
    np.testing.assert_allclose(found.diagonal(), 1, atol=1e-6)
    across = torch.tensor([[1.0, 0, 0, -0.5, -0.5]])  # at a right angle to the first class
    assert cosines(across, torch.zeros(1, 5), torch.zeros(1, 5))[0, 0, 0] == pytest.approx(
        0, abs=1e-6
    )


def test_word_softmax(demo):
    meaning("Softmax", "the larger the temperature, the more equal they are")
    found = [image_scores(demo.cosines_at([0])[0], demo.scale, t).probabilities for t in (1, 3, 30)]
    assert [p.sum() for p in found] == pytest.approx([1, 1, 1], abs=1e-5)
    assert np.all(np.diff([p.max() - p.min() for p in found]) < 0)


def test_word_temperature(demo):
    meaning("Temperature", "inputs of softmax are divided by", "logit scale s is its inverse")
    cos = demo.cosines_at([0])[0].astype(float)
    z = cos / (1 / demo.scale)
    p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
    np.testing.assert_allclose(image_scores(cos, demo.scale, 1).probabilities, p, atol=1e-4)


def test_word_entropy():
    meaning("Entropy", "in nats: 0 if one class is certain, log C if all")
    for c in (3, 16):
        assert entropy(torch.zeros(1, c)).item() == pytest.approx(math.log(c))
    assert entropy(80 * torch.eye(3)[:1]).item() == pytest.approx(0, abs=1e-6)


def test_word_in_distribution_known():
    meaning("In-distribution (known)", "one of the classes that you named")
    assert truth_from_labels(["cat", "dog"], ["cat", "cup"]).tolist() == [0, OOD]


def test_word_out_of_distribution_unknown(demo):
    meaning("Out-of-distribution (unknown)", "none of these classes")
    for noun, truth in zip(demo.problem.test, demo.truth, strict=True):
        assert (truth == OOD) == (noun not in demo.problem.classes)


def test_word_ood_score(demo):
    meaning(
        "OOD score",
        "the higher it is, the more likely the image is known",
        "softmax of the unscaled cosines",
    )
    np.testing.assert_allclose(demo.score, mcm(demo.cosines))
    assert demo.score[demo.truth != OOD].mean() > demo.score[demo.truth == OOD].mean()


def test_word_acc():
    meaning("ACC", "mean over the classes of the share", "unknown images do not count")
    truth = np.array([0, 0, 0, 1, OOD])
    assert accuracy(np.array([0, 0, 1, 1, 0]), truth, 2) == pytest.approx(100 * (2 / 3 + 1) / 2)
    assert accuracy(np.array([0, 0, 1, 1, 1]), truth, 2) == pytest.approx(100 * (2 / 3 + 1) / 2)


def test_word_auc():
    meaning(
        "AUC",
        "share of pairs of one known and one unknown image",
        "the known image has the higher score",
    )
    assert auc(np.array([3.0, 1.0, 2.0, 0.0]), np.array([0, 1, OOD, OOD])) == pytest.approx(75)


def test_word_entmin():
    meaning("EntMin", "lowers the entropy of every prediction and does nothing else")
    z = torch.randn(5, 3)
    assert ueo(z, torch.ones(5), 0.0).item() == pytest.approx(entmin(z).item(), abs=1e-6)


def test_word_infomax():
    meaning("InfoMax", "EntMin that also raises the entropy of the mean", "UEO with equal weights")
    z = torch.randn(5, 3)
    assert ueo(z, torch.full((5,), 0.3)).item() == pytest.approx(infomax(z).item(), abs=1e-5)
    mean = z.softmax(1).mean(0)
    assert (entmin(z) + (mean * mean.log()).sum()).item() == pytest.approx(
        infomax(z).item(), abs=1e-5
    )


def test_word_ueo():
    meaning("UEO", "InfoMax with the weights w in term one and 1/w in term two")
    z, w = torch.randn(6, 3), torch.rand(6) + 0.2
    q = (1 / w) / (1 / w).sum()
    mean = (q[:, None] * z.softmax(1)).sum(0)
    expected = ((w / w.sum()) * entropy(z)).sum() + (mean * mean.log()).sum()
    assert ueo(z, w).item() == pytest.approx(expected.item(), abs=1e-5)


def test_word_collapse(trajectories):
    meaning("Collapse", "All images get the same prediction. The entropy is low")
    for run in trajectories("strangers"):
        assert len(set(run.points[ENTMIN, -1].argmax(1))) == 1
        assert run.terms[ENTMIN, -1, 0] < 0.05 and run.acc[ENTMIN, -1] < 34


def test_word_context_vectors(demo):
    meaning(
        "Context vectors",
        "The words “a photo of a” as trainable vectors",
        "one set for all classes",
    )
    model = demo.model.backbone.model
    tokens = get_tokenizer("ViT-B-32")("a photo of a")[0, 1:5]
    start = demo.model.original[CONTEXT]
    assert start.shape[0] == 4
    np.testing.assert_allclose(start, model.token_embedding(tokens).detach(), atol=1e-6)


def test_word_normalization_layer(demo):
    meaning(
        "Normalization layer",
        "Scales and shifts features",
        "UEO trains the weight and bias of these layers in the image tower",
    )
    norms = {
        f"{name}.{part}"
        for name, m in demo.model.backbone.model.visual.named_modules()
        if isinstance(m, (torch.nn.LayerNorm, torch.nn.modules.batchnorm._BatchNorm))
        for part in ("weight", "bias")
    }
    assert {k.removeprefix("visual.") for k in demo.model.adapter() if k != CONTEXT} == norms
