"""The curves of a run have the numbers of its events, with the same names for all runs."""

from tests.helpers.run_folders import write_run
from ueo_core.analysis.compare_curves import CURVES, curves
from ueo_core.runs.snapshot import read_snapshot


def test_curves_have_the_numbers_of_the_events_with_and_without_labels():
    labeled = curves(read_snapshot(write_run("a")), 3)
    assert labeled["Loss"] == [(1, -0.1), (2, -0.2), (3, -0.3), (4, -0.4)]
    assert labeled["Entropy of each image"] == [(s, 0.5) for s in (1, 2, 3, 4)]
    assert labeled["Entropy of the mean"][3] == (4, 0.9)
    assert labeled["ACC"] == [(0, 50.0), (4, 54.0)] and labeled["HM"] == [(0, 54.0), (4, 54.0)]
    without = curves(read_snapshot(write_run("b", labeled=False)), 3)
    assert "ACC" not in without and without["Same prediction"] == [(0, 100.0), (4, 96.0)]
    assert set(labeled) | set(without) == set(CURVES)


def test_a_run_without_events_has_no_curves():
    folder = write_run("c", state="queued")
    (folder.path / "events.jsonl").unlink()
    assert curves(read_snapshot(folder), 3) == {}
