"""What an intake accepts: every bound in one place, each named when it bites."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields

from ueo_core.utils.errors import UserError

VARIABLE = "UEO_STUDIO_LIMITS"  # sets limits, as the example shows
LIMITS_EXAMPLE = f'{VARIABLE}="max_files=200000, max_pixels=200_000_000"'


class RejectedFile(Exception):
    """One file is not taken; the message is the reason shown beside its name."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one intake. A file over a bound is skipped with the bound's name.

    `configured` gives the defaults with what the variable UEO_STUDIO_LIMITS changes.
    """

    max_files: int = 100_000  # files listed in one source; those beyond are left out together
    max_total_bytes: int = 200 * 10**9  # bytes read (unpacked, for a zip) in one intake
    max_file_bytes: int = 128 * 10**6  # bytes of one file; phone photos have 2-12 million
    max_pixels: int = 120_000_000  # width x height in the header; large phone photos: 108 million
    max_decode_bytes: int = 10**9  # estimated memory that decoding one image may take
    max_aspect: float = 50.0  # long side / short side; training views grow with it
    min_side: int = 2  # pixels; 1-pixel images are tracking dots
    tiny_side: int = 32  # pixels; smaller images are taken, with a warning
    max_zip_ratio: float = 200.0  # unpacked / packed bytes of a member; photos are near 1
    max_zip_directory_bytes: int = 32 * 10**6  # the zip's list of contents
    max_name_chars: int = 1_000  # characters of a relative name
    min_free_bytes: int = 500 * 10**6  # bytes that stay free on the store's disk

    def check_shape(self, width: int, height: int) -> None:
        """Refuse an image whose header size (pixels) is out of bounds."""
        if width < 1 or height < 1:
            raise RejectedFile("the header gives it no pixels")
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
                f"{width} x {height} pixels, longer than the limit max_aspect = "
                f"{self.max_aspect:g} allows"
            )

    @classmethod
    def configured(cls) -> Limits:
        """The limits of this process. Raises `UserError` for a setting that is none."""
        kinds = {field.name: type(field.default) for field in fields(cls)}
        changed = {}
        for part in filter(None, map(str.strip, os.environ.get(VARIABLE, "").split(","))):
            name, _, value = (piece.strip() for piece in part.partition("="))
            if name not in kinds:
                raise UserError(
                    f"{VARIABLE}: there is no limit {name[:60]!r}; choose from {', '.join(kinds)}."
                )
            try:
                changed[name] = kinds[name](value)
            except ValueError:
                changed[name] = -1
            if not 0 < changed[name] < float("inf"):
                raise UserError(
                    f"{VARIABLE}: {name} = {value[:60]!r} is no positive number; write it as "
                    f"{name}={getattr(cls, name)}."
                )
        return cls(**changed)
