"""A finished run with negative words, for NegLabel: from its stored image features, no image is read."""

from collections.abc import Iterable
from dataclasses import replace

from ueo_core.analysis.run_result import Inspection, read_features
from ueo_core.inference.adapter_file import ADAPTER_NAME
from ueo_core.runs.folder import RunFolder
from ueo_core.utils.rows import by_rows


def with_negatives(
    folder: RunFolder, opened: Inspection, given: str | Iterable[str]
) -> tuple[Inspection, list[str]]:
    """The same inspection whose sets have the score `neglabel`, and the words.

    given: a list, a text with commas, or `common-nouns`. Each side's words are encoded with its own
    context. UserError for words that cannot be used, or if the backbone is missing.
    """
    from ueo_core.inference.negatives import negative_words
    from ueo_core.models import backbones
    from ueo_core.models.adapted_clip import AdaptedCLIP, read_adapter

    settings, config = folder.settings, folder.config
    model = AdaptedCLIP(
        backbones.load(settings.backbone, settings.pretrained, settings.device),
        config["classes"],
        settings.prompt,
        templates=settings.templates,
        synonyms=config["synonyms"],
    )
    words = negative_words(model, given)
    text = {"before": model.encode_words(words).cpu().numpy()}
    if opened.step == opened.final:
        model.load_adapter(read_adapter(folder.path / ADAPTER_NAME)[0])
    elif opened.step:
        model.load_adapter(folder.checkpoint(opened.step))
    text["after"] = model.encode_words(words).cpu().numpy()
    steps = {"before": 0, "after": opened.step}
    parts = {
        name: replace(
            part,
            negatives={
                side: by_rows(
                    lambda rows, to=text[side].T: rows @ to, read_features(folder, name, step)
                )
                for side, step in steps.items()
            },
        )
        for name, part in opened.parts.items()
    }
    return replace(opened, parts=parts), words
