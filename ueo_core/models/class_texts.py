"""The texts of classes: several names and several templates each, averaged as features.

Zero-shot, the feature of a class is the normalized mean of the normalized features of all its names in
all templates, as in open_clip's `build_zero_shot_classifier` (Radford et al., 2021).

The context vectors replace the words of the prompt, for all names of all classes. The template with
these words is the *learned* one; features in the others are computed once:

    t_c = normalize( mean over its names of normalize(learned text) + anchor_c )
    anchor_c = mean over names and templates − mean over names in the learned template, both zero-shot

So the start is zero-shot with all templates, a step encodes every name once however many templates
there are, and what the context changes in the learned template, it changes in the mean.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from open_clip import OPENAI_IMAGENET_TEMPLATES
from torch import Tensor, nn

from ueo_core.config.class_texts import OPENAI, same_text, shown, split_templates
from ueo_core.models.backbones import Backbone
from ueo_core.models.prompt_learner import Prompts
from ueo_core.models.text_encoder import text_limit
from ueo_core.models.tokenizers import Span, context_span, prompt_length, shortest_length
from ueo_core.utils.errors import UserError


class ClassTexts:
    """Every name of every class, in every template. Nothing is encoded.

    synonyms: further names by class; prompt: the words that the context vectors replace;
    templates: the setting of that name.
    """

    def __init__(
        self,
        classes: Sequence[str],
        prompt: str,
        templates: str = "",
        synonyms: Mapping[str, Sequence[str]] | None = None,
    ):
        self.classes = list(classes)
        self.synonyms = {k: list(v) for k, v in (synonyms or {}).items() if v}
        self.prompt, self._setting = prompt, templates
        chosen = split_templates(templates)
        if chosen == (OPENAI,):
            chosen = tuple(template("{}") for template in OPENAI_IMAGENET_TEMPLATES)
        self.templates = chosen  # empty: the prompt, the name and a full stop
        own = f"{prompt} {{}}"
        learned = next((t for t in chosen if t.startswith(own)), f"{own}.")
        self._behind = learned.removeprefix(own)
        self.others = chosen if set(chosen) - {learned} else ()  # empty: only the learned one
        # All names, class by class, and which class each belongs to.
        self.names = [n for c in self.classes for n in (c, *self.synonyms.get(c, ()))]
        self.owners = [
            i for i, c in enumerate(self.classes) for _ in (c, *self.synonyms.get(c, ()))
        ]

    def learned(self) -> list[str]:
        """The text of every name in the learned template. (N,)"""
        names = [name.replace("_", " ") for name in self.names]
        return [f"{self.prompt} {n}{self._behind.replace('{}', n)}" for n in names]

    def within(self, template: str) -> list[str]:
        """The text of every name in a template. (N,)"""
        return [template.replace("{}", name.replace("_", " ")) for name in self.names]

    def average(self, device: torch.device) -> Tensor:
        """The matrix that averages the features of the names of each class. → (C, N)"""
        owners = torch.tensor(self.owners, device=device)
        own = F.one_hot(owners, len(self.classes)).T.float()
        return own / own.sum(1, keepdim=True)

    def check_lengths(self, backbone: Backbone) -> None:
        """Raise a UserError for a text that open_clip would silently truncate."""
        limit = text_limit(backbone.model, backbone.tokenizer)
        for texts in (self.learned(), *map(self.within, self.others)):
            for name, text in zip(self.names, texts, strict=True):
                length = prompt_length(backbone.tokenizer, text)
                if length > limit:
                    raise UserError(
                        f"Class name “{name[:60]}”: its prompt has {length} tokens and {backbone.name} "
                        f"reads at most {limit}; use a shorter name."
                    )

    def check_distinct(self, backbone: Backbone) -> None:
        """Raise a UserError for two names that are the same tokens for this model."""
        seen: dict[tuple[int, ...], int] = {}
        tokens = _tokens(backbone, self.learned()).tolist()
        for i, row in enumerate(map(tuple, tokens)):
            if (first := seen.setdefault(row, i)) != i:
                pairs = ((self.names[k], self.classes[self.owners[k]]) for k in (first, i))
                raise same_text(*next(pairs), *next(pairs), model=backbone.name)

    def negative(self, words: Sequence[str], backbone: Backbone) -> "ClassTexts":
        """Texts of words that are none of the classes, in the same templates.

        UserError for a word that is the same text as a name of a class, or is too long.
        """
        found = ClassTexts(words, self.prompt, self._setting)
        found.check_lengths(backbone)
        own, others = (_tokens(backbone, texts.learned()).tolist() for texts in (self, found))
        named = dict(zip(map(tuple, own), self.names, strict=True))
        for word, row in zip(words, map(tuple, others), strict=True):
            if row in named:
                raise UserError(
                    f"Negative words: {shown(word)} is the same text as {shown(named[row])} of the "
                    f"classes for {backbone.name}; leave it out."
                )
        return found


class TextMean(nn.Module):
    """From the unit features of all names in the learned template to those of the classes."""

    average: Tensor  # (C, N)
    anchor: Tensor | None  # (C, D)

    def __init__(self, average: Tensor, anchor: Tensor | None):
        super().__init__()
        self.register_buffer("average", average, persistent=False)
        self.register_buffer("anchor", anchor, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) → (C, D)"""
        with torch.autocast(
            features.device.type, enabled=False
        ):  # float32 as without several names
            mean = self.average @ features
            return F.normalize(mean if self.anchor is None else mean + self.anchor, dim=-1)


def encoders(
    backbone: Backbone, texts: ClassTexts, span: Span | None = None
) -> tuple[Prompts, TextMean | None]:
    """What encodes the names in the learned template, and what makes class features of these.

    span: the tokens that the context vectors replace, if they are known. None instead of a mean where
    every class has one name and one template.
    """
    tokens = _tokens(backbone, texts.learned())
    span = span or context_span(backbone.tokenizer, texts.prompt, tokens)
    prompts = _prompts(backbone, tokens, span)
    if not texts.others and len(texts.names) == len(texts.classes):
        return prompts, None
    average = texts.average(backbone.device)
    return prompts, TextMean(average, _anchor(backbone, texts, average, prompts))


@torch.no_grad()
def _anchor(
    backbone: Backbone, texts: ClassTexts, average: Tensor, learned: Prompts
) -> Tensor | None:
    """What all templates add to the learned one at the start. → (C, D)"""
    if not texts.others:
        return None

    def mean(prompts: Prompts) -> Tensor:
        return average @ F.normalize(prompts(prompts.first_context).float(), dim=-1)

    no_context = Span(learned.span.start, 0)
    total = torch.zeros(())
    for template in texts.others:  # one at a time: 80 times all names need not fit into memory
        found = mean(_prompts(backbone, _tokens(backbone, texts.within(template)), no_context))
        total = found + total.to(found.device)
    return total / len(texts.others) - mean(learned)


def _tokens(backbone: Backbone, texts: list[str]) -> Tensor:
    limit = text_limit(backbone.model, backbone.tokenizer)
    return backbone.tokenizer(texts)[:, :limit]


def _prompts(backbone: Backbone, tokens: Tensor, span: Span) -> Prompts:
    length = shortest_length(backbone.tokenizer, tokens)
    return Prompts(backbone.model, tokens.to(backbone.device), span, backbone.text_path, length)
