"""The losses under the name that scripts rely on; they live in `ueo_core.methods.ueo`."""

from ueo_core.methods.ueo import confidence_weights, entmin, infomax, ueo

__all__ = ["confidence_weights", "entmin", "infomax", "ueo"]
