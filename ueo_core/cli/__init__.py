"""The command line: `python -m ueo_core COMMAND`, stable, for people and scripts."""
