"""`names`: check class names on unlabeled images, before a run."""

import argparse

from ueo_core.cli.parser import chosen_settings
from ueo_core.cli.progress import Ticker
from ueo_core.cli.sources import take_in
from ueo_core.config.settings import Settings
from ueo_core.data.class_list import read_class_names
from ueo_core.data.store import Store
from ueo_core.data.word_list import word_list


def names(args: argparse.Namespace, tick: Ticker) -> tuple[list[str], dict]:
    from ueo_core.analysis.name_check import check_names_on
    from ueo_core.models import backbones
    from ueo_core.models.adapted_clip import AdaptedCLIP

    settings = Settings.for_backbone(**chosen_settings(args))
    given, words = read_class_names(args.classes), word_list(args.words)
    backbone = backbones.load(settings.backbone, settings.pretrained, settings.device)
    model = AdaptedCLIP(
        backbone,
        given.names,
        settings.prompt,
        templates=settings.templates,
        synonyms=given.synonyms,
    )
    images, _ = take_in(args.source, Store(args.store, backbone.store_side), tick)
    found = check_names_on(
        images, model, words, lambda what, done, total: tick(f"{done} of {total} {what} encoded")
    )
    data = found.to_json(images.names)
    lines = [*given.remarks, *found.sentences, f"{found.images} photos; the nearest of each name:"]
    lines += [
        f"  {row['name']}: {row['images']} photos, nearest {', '.join(row['nearest'])}"
        for row in data["classes"]
    ]
    return lines, data
