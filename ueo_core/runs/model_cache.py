"""The last model used stays loaded for the next run, and is freed after an idle time."""

from ueo_core.config.settings import Settings
from ueo_core.models import backbones
from ueo_core.utils.memory import release_memory

Key = tuple[str, str | None, str]  # backbone, weights, device


class ModelCache:
    """One backbone, so that a pause and resume does not load it again."""

    def __init__(self) -> None:
        self._loaded: tuple[Key, backbones.Backbone] | None = None

    def get(self, settings: Settings) -> backbones.Backbone:
        """The backbone of these settings."""
        key = (settings.backbone, settings.pretrained, settings.device)
        if self._loaded is None or self._loaded[0] != key:
            self.clear()
            self._loaded = key, backbones.load(*key)
        return self._loaded[1]

    def put(self, settings: Settings, backbone: backbones.Backbone) -> None:
        """Take a backbone that was loaded elsewhere for these settings."""
        self._loaded = (settings.backbone, settings.pretrained, settings.device), backbone

    def clear(self) -> None:
        """Free it and its memory."""
        if self._loaded is not None:
            self._loaded = None
            release_memory()
