"""What became of each rate, from a run's trials."""

from dataclasses import replace

from tests.runs.test_snapshot import snapshot
from ueo_core.analysis.rate_search import tried_rates
