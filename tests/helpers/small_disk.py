"""A disk of a few megabytes that can be filled to the last page: real errors for want of space."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = 4096  # bytes; the unit in which a tmpfs takes space
_BALLAST = "ballast"


class SmallDisk:
    """A mounted tmpfs. Its ballast, one file, takes all space but what a test leaves."""

    def __init__(self, root: Path):
        self.root = root

    def leave(self, pages: int) -> None:
        """Fill the disk, but for so many pages."""
        self.empty()
        with open(self.root / _BALLAST, "wb") as file, contextlib.suppress(OSError):
            while True:
                os.write(file.fileno(), bytes(PAGE))
        os.truncate(self.root / _BALLAST, (self.root / _BALLAST).stat().st_size - pages * PAGE)

    def empty(self) -> None:
        """Take the ballast out: there is space again."""
        (self.root / _BALLAST).unlink(missing_ok=True)

    def forbid(self) -> None:
        """Let nothing be written any more."""
        subprocess.run(["mount", "-o", "remount,ro", self.root], check=True)

    def allow(self) -> None:
        """Let files be written again."""
        subprocess.run(["mount", "-o", "remount,rw", self.root], check=True)


@contextlib.contextmanager
def mounted(root: Path, megabytes: int) -> Iterator[SmallDisk]:
    """A small disk at `root`; the test is skipped where none can be mounted."""
    root.mkdir(parents=True, exist_ok=True)
    size = f"size={megabytes}m"
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", size, "none", root], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user cannot mount a small disk")
    try:
        yield SmallDisk(root)
    finally:
        subprocess.run(["umount", "-l", root], check=True)
