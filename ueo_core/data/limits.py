"""The limits of an intake. A file over a limit is skipped, and the reason names the limit."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from ueo_core.utils.errors import UserError

VARIABLE = "UEO_STUDIO_LIMITS"  # environment variable that changes limits
LIMITS_EXAMPLE = f'{VARIABLE}="max_files=200000, max_pixels=200_000_000"'


class RejectedFile(Exception):
    """Raised for a file that cannot be used; the message is the reason shown with its name."""


@dataclass(frozen=True)
class Limits:
    """The limits of one intake.

    `configured` returns the defaults, changed by the environment variable UEO_STUDIO_LIMITS.
    """

    max_files: int = 100_000  # files of one source; further files are left out and counted
    max_total_bytes: int = 200 * 10**9  # bytes read (uncompressed, for a zip) in one intake
    max_file_bytes: int = 128 * 10**6  # bytes of one file; phone photos have 2-12 million
    max_pixels: int = 120_000_000  # width x height; the largest phone photos have 108 million
    max_decode_bytes: int = 10**9  # estimated memory to decode one image
    max_aspect: float = 50.0  # long side / short side; training views grow with this ratio
    min_side: int = 2  # pixels; images of one pixel are used for tracking, not for content
    tiny_side: int = 32  # pixels; smaller images are used, with a warning
    max_zip_ratio: float = (
        200.0  # uncompressed / compressed bytes of a file in a zip; near 1 for photos
    )
    max_zip_directory_bytes: int = 32 * 10**6  # size of a zip file's directory
    max_name_chars: int = 1_000  # characters of a relative name
    min_free_bytes: int = 500 * 10**6  # bytes to leave free on the store's disk

    def check_shape(self, width: int, height: int) -> None:
        """Raise `RejectedFile` for an image size (pixels) that is over a limit."""
        if width < 1 or height < 1:
            raise RejectedFile("the header says that it has no pixels")
        if width * height > self.max_pixels:
            raise RejectedFile(
                f"{width} x {height} pixels, over the limit max_pixels = {self.max_pixels:,}"
            )
        if min(width, height) < self.min_side:
            raise RejectedFile(
                f"{width} x {height} pixels, under the limit min_side = {self.min_side}"
            )
        if max(width, height) > self.max_aspect * min(width, height):
            raise RejectedFile(
                f"{width} x {height} pixels, an aspect ratio over the limit max_aspect = "
                f"{self.max_aspect:g}"
            )

    @classmethod
    def configured(cls) -> Limits:
        """The limits of this process. Raises `UserError` if the variable is not valid."""
        defaults = {name: getattr(cls, name) for name in cls.__dataclass_fields__}
        changed: dict[str, Any] = {}
        for part in filter(None, map(str.strip, os.environ.get(VARIABLE, "").split(","))):
            name, _, value = (piece.strip() for piece in part.partition("="))
            if name not in defaults:
                raise UserError(
                    f"Limits ({VARIABLE}): there is no limit {name[:60]!r}; choose from {', '.join(defaults)}."
                )
            try:
                changed[name] = type(defaults[name])(value)
            except ValueError:
                changed[name] = -1
            if not 0 < changed[name] < float("inf"):
                raise UserError(
                    f"Limits ({VARIABLE}): {name} = {value[:60]!r} is not a positive number; write "
                    f"it as {name}={defaults[name]}."
                )
        return cls(**changed)
