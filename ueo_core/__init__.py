"""UEO Studio's core: adapt CLIP to unlabeled images with Universal Entropy Optimization.

The names below are the public interface; everything else is imported from its room. A name is
loaded when it is first used, so that `import ueo_core` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "1.1.0"  # written into every adapter and report

if TYPE_CHECKING:
    from ueo_core.api.estimator import UEO as UEO
    from ueo_core.api.predictions import ImagePredictions as ImagePredictions
    from ueo_core.api.sample import sample_problem as sample_problem
    from ueo_core.api.torch_loop import adapt_clip as adapt_clip
    from ueo_core.config.methods import METHODS as METHODS
    from ueo_core.config.settings import Settings as Settings
    from ueo_core.evaluation.metrics import evaluate as evaluate_cosines
    from ueo_core.evaluation.ood_scores import SCORES as SCORES
    from ueo_core.evaluation.thresholds import mixture_threshold as mixture_threshold
    from ueo_core.methods.ueo import confidence_weights as confidence_weights
    from ueo_core.methods.ueo import entmin as entmin_loss
    from ueo_core.methods.ueo import infomax as infomax_loss
    from ueo_core.methods.ueo import ueo as ueo_loss
    from ueo_core.models.adapted_clip import AdaptedCLIP as AdaptedCLIP
    from ueo_core.models.backbones import Backbone as Backbone
    from ueo_core.models.backbones import load as load_backbone
    from ueo_core.utils.errors import UserError as UserError

# public name → (module, its name there)
_PUBLIC = {
    "AdaptedCLIP": ("ueo_core.models.adapted_clip", "AdaptedCLIP"),
    "Backbone": ("ueo_core.models.backbones", "Backbone"),
    "ImagePredictions": ("ueo_core.api.predictions", "ImagePredictions"),
    "METHODS": ("ueo_core.config.methods", "METHODS"),
    "SCORES": ("ueo_core.evaluation.ood_scores", "SCORES"),
    "Settings": ("ueo_core.config.settings", "Settings"),
    "UEO": ("ueo_core.api.estimator", "UEO"),
    "UserError": ("ueo_core.utils.errors", "UserError"),
    "adapt_clip": ("ueo_core.api.torch_loop", "adapt_clip"),
    "confidence_weights": ("ueo_core.methods.ueo", "confidence_weights"),
    "entmin_loss": ("ueo_core.methods.ueo", "entmin"),
    "evaluate_cosines": ("ueo_core.evaluation.metrics", "evaluate"),
    "infomax_loss": ("ueo_core.methods.ueo", "infomax"),
    "load_backbone": ("ueo_core.models.backbones", "load"),
    "mixture_threshold": ("ueo_core.evaluation.thresholds", "mixture_threshold"),
    "sample_problem": ("ueo_core.api.sample", "sample_problem"),
    "ueo_loss": ("ueo_core.methods.ueo", "ueo"),
}
__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'ueo_core' has no attribute {name!r}")
    module, there = _PUBLIC[name]
    return getattr(import_module(module), there)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
