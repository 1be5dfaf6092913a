"""Keeps the last backbone loaded for the next run, and gives a run the backbone it began with."""

from dataclasses import replace

from ueo_core.config.settings import Settings
from ueo_core.models import backbones
from ueo_core.runs.folder import RunFolder
from ueo_core.utils.memory import release_memory


class ModelCache:
    """One backbone, so that a resumed run does not load it again."""

    def __init__(self) -> None:
        self._loaded: tuple[tuple, backbones.Backbone] | None = None  # key, backbone

    def get(self, settings: Settings) -> backbones.Backbone:
        """The backbone of these settings; errors as in `backbones.load`."""
        key = (settings.backbone, settings.pretrained, settings.device)
        if self._loaded is None or self._loaded[0] != key:
            self.clear()
            self._loaded = key, backbones.load(*key)
        return self._loaded[1]

    def put(self, settings: Settings, backbone: backbones.Backbone) -> None:
        """Keep a backbone that was loaded elsewhere for these settings."""
        self._loaded = (settings.backbone, settings.pretrained, settings.device), backbone

    def clear(self) -> None:
        """Drop the backbone and free its memory."""
        if self._loaded is not None:
            self._loaded = None
            release_memory()


def as_begun(folder: RunFolder, backbone: backbones.Backbone) -> backbones.Backbone:
    """The backbone with the preprocessing that a run began with: all its numbers are from that.

    A run of an earlier version does not tell it: it was CLIP's own way of fitting for all models.
    """
    start = next((event for event in folder.events() if event["kind"] == "start"), None)
    if start is None:
        return backbone
    told = start.get("preprocessing")
    metadata = {"backbone": backbone.name} | (told if isinstance(told, dict) else {})
    return replace(backbone, preprocessing=backbone.preprocessing.as_adapted(metadata))
