"""The last model used stays loaded for the next run, and is let go of when nobody comes."""

from ueo_core.config.settings import Settings
from ueo_core.models import backbones
from ueo_core.utils.memory import release_memory


class ModelCache:
    """One backbone, so that a pause and resume does not load it again."""

    def __init__(self) -> None:
        self._key, self._backbone = None, None

    def get(self, settings: Settings) -> backbones.Backbone:
        """The backbone of these settings."""
        key = (settings.backbone, settings.pretrained, settings.device)
        if key != self._key:
            self.clear()
            self._backbone = backbones.load(*key)
            self._key = key
        return self._backbone

    def clear(self) -> None:
        """Let go of it, and give its memory back."""
        if self._key is not None:
            self._key, self._backbone = None, None
            release_memory()
