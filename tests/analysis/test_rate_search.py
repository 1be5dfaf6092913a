"""What became of each rate, from a run's trials."""

from dataclasses import replace

import pytest

from tests.helpers.run_folders import write_run
from ueo_core.analysis.rate_search import tried_rates
from ueo_core.runs.snapshot import read_snapshot


def trial(lr: float, trained: int, value: float | None) -> dict:
    criteria = None if value is None else {"evidence": value}
    return {"lr": lr, "trained": trained, "criteria": criteria}


FIRST = (trial(0.1, 5, 3.2), trial(0.3, 5, 3.5), trial(0.9, 5, 2.8), trial(2.7, 5, None))
SECOND = (trial(0.1, 10, 3.4), trial(0.3, 10, 3.35))


@pytest.fixture
def now():
    return read_snapshot(write_run("r", state="running"))


def status(rows) -> dict[float, str]:
    return {row.lr: row.status for row in rows}


def test_a_run_at_a_given_rate_has_no_ladder(now):
    assert tried_rates(now) == []


def test_while_rates_are_tried_nothing_is_chosen(now):
    found = tried_rates(replace(now, phase="choosing", trials=FIRST[:2]))
    assert status(found) == {0.1: "measured", 0.3: "measured"}
    assert not any(row.chosen or row.dropped for row in found)
    assert [row.points for row in found] == [((5, 3.2),), ((5, 3.5),)]


def test_dropped_diverged_and_chosen_rates_say_why(now):
    evaluation = {"step": 0, "criteria": {"evidence": 3.0}}
    later = replace(now, phase="adapting", trials=FIRST + SECOND, evaluations=(evaluation,))
    found = tried_rates(later)
    assert status(found) == {
        0.1: "not chosen: a larger rate is about as good",
        0.3: "chosen: the largest rate with about the best evidence",
        0.9: "dropped: 0.70 below the best (limit 0.5)",
        2.7: "diverged",
    }
    assert [row.lr for row in found if row.chosen] == [0.3]
    assert [row.lr for row in found if row.dropped] == [0.1, 0.9, 2.7]
    assert found[1].points == ((0, 3.0), (5, 3.5), (10, 3.35))
    worse = replace(later, trials=(*FIRST, trial(0.1, 10, 3.4), trial(0.3, 10, 3.1)))
    assert status(tried_rates(worse))[0.3] == "not chosen: 0.30 below the best (limit 0.1)"
