"""The newest images of a background job, for whoever watches it."""

import base64
import io

from PIL import Image

from ueo_core.utils.background_jobs import Job

SHOWN = 36
SIDE = 96  # pixels


class Arrivals:
    """The newest images of a job, as data URLs for its viewers."""

    def __init__(self, job: Job):
        self.job = job
        job.shown = ()

    def __call__(self, png: bytes) -> None:
        """Take one image."""
        image = Image.open(io.BytesIO(png))
        image.thumbnail((SIDE, SIDE))
        out = io.BytesIO()
        image.convert("RGB").save(out, "JPEG", quality=80)
        url = "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
        self.job.shown = (url, *self.job.shown[: SHOWN - 1])
