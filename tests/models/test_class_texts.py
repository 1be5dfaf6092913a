"""Several names and templates of a class: open_clip's own mean at the start, one context for all."""

import pytest
import torch
import torch.nn.functional as F
from open_clip import OPENAI_IMAGENET_TEMPLATES, build_zero_shot_classifier

from ueo_core.models.adapted_clip import AdaptedCLIP, prompt_text
from ueo_core.models.class_texts import ClassTexts
from ueo_core.models.text_encoder import TextEncoder
from ueo_core.utils.errors import UserError

CLASSES = ["dog", "wild_cat", "grand piano"]
SYNONYMS = {"dog": ["puppy", "old hound"], "grand piano": ["piano"]}
GROUPS = [["dog", "puppy", "old hound"], ["wild cat"], ["grand piano", "piano"]]
NAMES = [name.replace("_", " ") for name in CLASSES]
PROMPT = "a photo of a"


def moved(model: AdaptedCLIP) -> torch.Tensor:
    """Context vectors as after some training, the same for every model."""
    g = torch.Generator().manual_seed(1)
    return model.context.detach() + 0.02 * torch.randn(model.context.shape, generator=g)


def mean_of(features: torch.Tensor) -> torch.Tensor:
    """The unit mean of unit features of all names in GROUPS. (N, D) → (C, D)"""
    parts = F.normalize(features, dim=-1).split([len(own) for own in GROUPS])
    return torch.stack([part.mean(0) for part in parts])


def test_one_name_and_one_template_are_as_before_to_the_last_bit(tiny):
    plain = AdaptedCLIP(tiny, CLASSES)
    named = AdaptedCLIP(tiny, CLASSES, templates="a photo of a {}.", synonyms={"dog": []})
    for model in (plain, named):
        assert model._mean is None
        model.context.data.copy_(moved(model))
    expected = F.normalize(plain._prompts(plain.context).float(), dim=-1)
    assert torch.equal(plain.encode_text(), expected)
    assert torch.equal(named.encode_text(), expected)


def test_templates_start_as_open_clips_own_classifier(tiny):
    model = AdaptedCLIP(tiny, CLASSES, templates="openai")
    expected = build_zero_shot_classifier(
        tiny.model, tiny.tokenizer, NAMES, OPENAI_IMAGENET_TEMPLATES
    )
    torch.testing.assert_close(model.encode_text().detach(), expected.T, atol=2e-6, rtol=0)
    one = AdaptedCLIP(tiny, CLASSES).encode_text().detach()
    assert (one - expected.T).abs().max() > 1e-3


def test_names_and_templates_are_averaged_together(tiny):
    templates = ["a sketch of the {}, in pencil", "{}", "a photo of a {}."]
    model = AdaptedCLIP(tiny, CLASSES, templates="|".join(templates), synonyms=SYNONYMS)
    rows = []
    for own in GROUPS:
        tokens = tiny.tokenizer([t.replace("{}", n) for n in own for t in templates])
        rows.append(tiny.model.encode_text(tokens, normalize=True).mean(0))
    expected = F.normalize(torch.stack(rows), dim=-1)
    torch.testing.assert_close(model.encode_text().detach(), expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("templates", ["", "the {}|a photo of a {}.|a big {} here"])
def test_the_context_is_in_every_name_and_its_gradient_is_exact(tiny, templates):
    model = AdaptedCLIP(tiny, CLASSES, templates=templates, synonyms=SYNONYMS)
    start = model.encode_text().detach()
    tokens = tiny.tokenizer([prompt_text(PROMPT, n) for own in GROUPS for n in own])
    encode = TextEncoder(tiny.model, model._prompts.span)
    context = moved(model).requires_grad_()
    # What the context changes in the learned template, it changes in the mean of all.
    with torch.no_grad():
        first = mean_of(encode(model.context.detach(), tokens))
        every = [
            mean_of(tiny.model.encode_text(tiny.tokenizer(model.texts.within(t))))
            for t in model.texts.templates or ["a photo of a {}."]
        ]
        anchor = torch.stack(every).mean(0) - first
    expected = F.normalize(mean_of(encode(context, tokens)) + anchor, dim=-1)
    probe = torch.randn(expected.shape, generator=torch.Generator().manual_seed(2))
    (expected * probe).sum().backward()
    model.select("both")
    model.context.data.copy_(context.detach())
    ours = model.encode_text()
    (ours * probe).sum().backward()
    torch.testing.assert_close(ours, expected, atol=3e-6, rtol=1e-5)
    torch.testing.assert_close(model.context.grad, context.grad, atol=2e-5, rtol=1e-4)
    assert (ours - start).abs().max() > 1e-3
    model.reset()
    assert torch.equal(model.encode_text().detach(), start)


def test_a_step_encodes_each_name_once_however_many_templates(tiny, monkeypatch):
    model = AdaptedCLIP(tiny, CLASSES, templates="openai", synonyms=SYNONYMS)
    encoded, ends = [], model._prompts._ends
    monkeypatch.setattr(
        model._prompts, "_ends", lambda at, x, *kv: encoded.append(len(x)) or ends(at, x, *kv)
    )
    model.encode_text()
    assert sum(encoded) == 6


def test_a_template_that_begins_with_the_prompt_is_the_learned_one(tiny):
    model = AdaptedCLIP(tiny, CLASSES, templates="a photo of a {}, a type of pet.")
    assert model._mean is None
    tokens = tiny.tokenizer([f"a photo of a {n}, a type of pet." for n in NAMES])
    expected = TextEncoder(tiny.model, model._prompts.span)(moved(model), tokens)
    model.context.data.copy_(moved(model))
    torch.testing.assert_close(
        model.encode_text().detach(), F.normalize(expected, dim=-1), atol=3e-6, rtol=1e-5
    )


def test_bfloat16_towers_still_average_in_float32(tiny):
    model = AdaptedCLIP(tiny, CLASSES, synonyms=SYNONYMS)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = model.encode_text()
        expected = mean_of(model._prompts(model.context).float())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, F.normalize(expected, dim=-1), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("names", "synonyms", "message"),
    [
        (["lady's", "lady’s"], {}, "“lady's” and “lady’s” are the same text for .*; keep one"),
        (["AT&T", "dog", "AT&amp;T"], {}, "“AT&T” and “AT&amp;T” are the same text"),
        (["Dog", "dog"], {}, "“Dog” and “dog” are the same text"),
        (["a  b", "cat", "a_b"], {}, "“a  b” and “a_b” are the same text"),
        (["fox", "dog"], {"dog": ["Fox"]}, "“fox” and “Fox” of “dog” are the same text"),
        (["fox", "dog"], {"dog": ["fox"]}, "“fox” is a name of both “fox” and “dog”"),
        (["fox", "dog"], {"dog": ["pup", "pup"]}, "“pup” is given twice for “dog”"),
    ],
)
def test_names_of_equal_tokens_are_refused(tiny, names, synonyms, message):
    with pytest.raises(UserError, match=message):
        ClassTexts(names, PROMPT, "", synonyms).check_distinct(tiny)
    ClassTexts(["fox", "dog"], PROMPT, "", {"dog": ["puppy"]}).check_distinct(tiny)


def test_a_text_that_would_be_cut_off_is_refused_in_every_template(tiny):
    long = " ".join(["very"] * 13) + " {}"
    with pytest.raises(UserError, match="“wild_cat”: its prompt has 17 tokens"):
        AdaptedCLIP(tiny, CLASSES, templates=long)
    with pytest.raises(UserError, match="“old hound of our own neighbors house near the lake”"):
        further = {"dog": ["old hound of our own neighbors house near the lake"]}
        AdaptedCLIP(tiny, CLASSES, synonyms=further)


@pytest.mark.parametrize("templates", ["", "the {}|a photo of a {}."])
def test_negative_words_have_the_texts_and_the_context_of_classes(tiny, templates):
    words = ["screenshot", "scanned_document"]
    model = AdaptedCLIP(tiny, CLASSES, templates=templates)
    expected = AdaptedCLIP(tiny, [*words, "cat"], templates=templates)
    for m in (model, expected):
        m.context.data.copy_(moved(m))
    before = model.encode_text().detach()
    torch.testing.assert_close(
        model.encode_words(words), expected.encode_text().detach()[:2], atol=3e-6, rtol=0
    )
    assert model.encode_words(words[:1]).shape == (1, 16)
    assert torch.equal(model.encode_text().detach(), before)


def test_a_negative_word_that_is_a_class_is_refused(tiny):
    model = AdaptedCLIP(tiny, CLASSES, synonyms=SYNONYMS)
    with pytest.raises(UserError, match="Negative words: “Puppy” is the same text as “puppy”"):
        model.encode_words(["cup", "Puppy"])


def test_parts_of_a_large_list_change_nothing(tiny):
    tiny.model.attn_mask = None  # the general path
    names = [f"thing {i}" for i in range(30)]
    model = AdaptedCLIP(tiny, names, templates="the {}|a photo of a {}.")
    tokens = [tiny.tokenizer([t.replace("{}", n) for n in names]) for t in model.texts.templates]
    with torch.no_grad():
        every = [tiny.model.encode_text(t, normalize=True) for t in tokens]
    expected = F.normalize(torch.stack(every).mean(0), dim=-1)
    torch.testing.assert_close(model.encode_text().detach(), expected, atol=3e-6, rtol=0)
