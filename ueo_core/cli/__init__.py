"""The command line: `python -m ueo_core COMMAND`, stable, for people and scripts."""

from ueo_core.cli.main import main

__all__ = ["main"]
