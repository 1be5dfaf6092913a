"""One set of images in a store, without labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ueo_core.data.object_store import ObjectStore, pixels_missing, stored_as


@dataclass(frozen=True)
class Original:
    """Where an image came from, relative to its source."""

    name: str
    aliases: tuple[str, ...]  # further files with the same bytes


class ImageSet:
    """The usable, distinct images of one intake, sorted by name. Created by `Store.open`.

    Only names and sizes are in memory; safe to share between threads.
    """

    def __init__(
        self, objects: ObjectStore, short_side: int, manifest: dict, images: Sequence[dict]
    ) -> None:
        self._objects, self._images = objects, images
        self.id: str = manifest["id"]
        self.name: str = manifest["name"]
        self.fingerprint: str = manifest["fingerprint"]
        self.short_side = short_side  # pixels; the size that `pixels` returns
        self.stored_sides: list[int] = list(manifest["short_sides"])
        self.srgb = bool(manifest["report"].get("srgb"))  # colors are converted to sRGB
        self.features = objects.root.parent / "features" / self.id  # cached zero-shot features
        self.names: list[str] = [image["name"] for image in images]
        # Of each image, the further files with the same bytes.
        self.copies: list[tuple[str, ...]] = [tuple(image["aliases"]) for image in images]

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"ImageSet({self.id!r}, {self.name!r}, {len(self)} images)"

    def pixels(self, i: int) -> np.ndarray:
        """uint8 (H, W, 3), upright RGB, short side min(original, store's short side).

        Read from disk at each call, in about 0.1 ms if the system has cached the file; the caller
        owns the array. If the set was ingested only at other sizes (`stored_sides`), a larger one
        is reduced and a smaller one is returned unchanged. Raises `UserError` if the pixels were
        deleted.
        """
        image = self._images[i]
        try:
            return self._objects.pixels(
                self._key(i), image["width"], image["height"], self.short_side
            )
        except FileNotFoundError as error:
            raise pixels_missing(image["name"]) from error

    def size(self, i: int) -> tuple[int, int]:
        """(width, height) of the upright original, pixels."""
        return self._images[i]["width"], self._images[i]["height"]

    def thumbnail(self, i: int) -> bytes:
        """JPEG, longer side at most 160 pixels, created in about a millisecond. Raises `UserError`."""
        try:
            return self._objects.thumbnail(self._key(i))
        except FileNotFoundError as error:
            raise pixels_missing(self.names[i]) from error

    def original(self, i: int) -> Original:
        return Original(self.names[i], self.copies[i])

    def content_hash(self, i: int) -> str:
        """sha256 (hex) of the original file's bytes, whether its colors are converted or not."""
        return self._images[i]["sha256"]

    def _key(self, i: int) -> str:
        return stored_as(self.content_hash(i), self.srgb)
