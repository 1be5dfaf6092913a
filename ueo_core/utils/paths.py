"""Where the studio keeps its images and runs."""

import os
from pathlib import Path

_HERE = Path(__file__).resolve()
# What the project ships: inside the package where it was installed, beside it in a clone.
ASSETS = next(p for p in (_HERE.parents[1] / "assets", _HERE.parents[2] / "assets") if p.is_dir())


def studio_home() -> Path:
    """`UEO_STUDIO_HOME`, or `.ueo-studio` in the user's home folder."""
    return Path(os.environ.get("UEO_STUDIO_HOME") or Path.home() / ".ueo-studio").expanduser()


def store_root() -> Path:
    """The image store's folder."""
    return studio_home() / "store"


def runs_root() -> Path:
    """The folder that holds the app's runs."""
    return studio_home() / "runs"
