"""The baselines of a run: what is queued, with which title, and that a second click queues nothing."""

import pytest

from tests.helpers.run_folders import CLASSES, write_run
from ueo_core.config.lr_schedule import steps_in_all
from ueo_core.evaluation.selection import search_steps
from ueo_core.runs.baseline_sweep import (
    baselines,
    chose_its_rate,
    queue_baselines,
    training_seconds,
)
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.manager import Manager
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import write_json
from ueo_core.utils.paths import runs_root


class Idle(Manager):
    """A manager whose worker starts no run."""

    def _work(self) -> None:
        with self._changed:
            while not self._closing:
                self._changed.wait()


@pytest.fixture
def manager():
    made = Idle(runs_root())
    yield made
    made.shutdown()


def test_baselines_have_the_data_and_settings_of_the_run_except_method_and_seed(manager):
    base = write_run("base", title="UEO · drawings-resnet · night")
    ids = queue_baselines(manager, "base", ["infomax", "entmin"], 2, False)
    found = [RunFolder(runs_root() / i) for i in ids]
    assert ids[0] == "base" and len(set(ids)) == 6
    assert [(f.settings.method, f.settings.seed) for f in found] == [
        (m, s) for m in ("ueo", "infomax", "entmin") for s in (0, 1)
    ]
    assert [f.config["title"] for f in found[1:4]] == [
        "UEO · drawings-resnet · night · seed 1",
        "InfoMax · drawings-resnet · night",
        "InfoMax · drawings-resnet · night · seed 1",
    ]
    for folder in found:
        same = folder.settings.changed(method="ueo", seed=0)
        assert same == base.settings and folder.config["pool"] == base.config["pool"]
        assert folder.config["classes"] == CLASSES and folder.labels() == base.labels()
    assert manager.queue() == ids[1:]


def test_a_second_click_finds_the_runs_of_the_first(manager):
    write_run("base")
    first = queue_baselines(manager, "base", ["infomax"], 1, False)
    assert queue_baselines(manager, "base", ["infomax"], 1, False) == first
    assert len(manager.ids()) == 2 and len(manager.queue()) == 1
    planned = baselines(manager, "base", ["infomax"], 2, False)
    assert [r.run for r in planned] == ["base", None, first[1], None]


def test_failed_and_early_runs_are_repeated_and_paused_ones_are_resumed(manager):
    write_run("base")
    (_, baseline) = queue_baselines(manager, "base", ["infomax"], 1, False)
    manager.act(baseline, "cancel")
    assert queue_baselines(manager, "base", ["infomax"], 1, False)[1] == baseline
    assert manager.folder(baseline).state["state"] == "queued"
    manager.folder(baseline).set_state("failed", reason="gone")
    again = queue_baselines(manager, "base", ["infomax"], 1, False)[1]
    assert again != baseline
    manager.folder(again).set_state("finished", step=2, steps=4)
    assert queue_baselines(manager, "base", ["infomax"], 1, False)[1] not in (baseline, again)


def test_the_seed_of_a_baseline_replaces_a_seed_in_the_title(manager):
    base = write_run("base", title="UEO · x · seed 3")
    config = base.config
    config["settings"]["seed"] = 3
    write_json(base.path / "config.json", config)
    assert [r.title for r in baselines(manager, "base", ["entmin"], 2, False)] == [
        "UEO · x",
        "UEO · x · seed 4",
        "EntMin · x",
        "EntMin · x · seed 4",
    ]


def automatic(name="base", lr=0.02, **changes):
    """A finished run that chose its rate."""
    folder = write_run(name)
    config = folder.config
    config["settings"] |= {"lr": "auto"} | changes
    write_json(folder.path / "config.json", config)
    folder.update(lr=lr)
    return folder


def test_every_baseline_chooses_its_own_rate(manager):
    base = automatic()
    assert base.settings.lr == 0.02 and chose_its_rate(manager, "base")
    ids = queue_baselines(manager, "base", ["infomax"], 1, True)
    assert ids[0] == "base"  # it is the run of its own method
    made = manager.folder(ids[1])
    assert made.config["settings"]["lr"] == "auto" and made.settings.method == "infomax"
    assert made.config["request"].startswith("baseline-")
    # A second click finds it, before it has chosen and after.
    assert queue_baselines(manager, "base", ["infomax"], 1, True) == ids
    made.update(lr=0.5)
    assert queue_baselines(manager, "base", ["infomax"], 1, True) == ids
    # With the rate of the run, it is another run.
    (_, fixed) = queue_baselines(manager, "base", ["infomax"], 1, False)
    assert fixed not in ids and manager.folder(fixed).config["settings"]["lr"] == 0.02


def test_baselines_of_a_given_rate_that_choose_theirs_need_a_run_of_its_method_too(manager):
    base = write_run("base")
    assert not chose_its_rate(manager, "base")
    planned = baselines(manager, "base", ["infomax"], 1, True)
    assert [(b.settings.method, b.settings.lr, b.run) for b in planned] == [
        ("ueo", "auto", None),
        ("infomax", "auto", None),
    ]
    assert baselines(manager, "base", [], 1, False)[0].run == base.id


def test_baselines_of_an_earlier_version_are_found(manager):
    write_run("base")
    (_, made) = queue_baselines(manager, "base", ["infomax"], 1, False)
    folder = manager.folder(made)
    old = folder.config | {"request": folder.config["request"].replace("baseline-", "rival-")}
    write_json(folder.path / "config.json", old)
    assert baselines(manager, "base", ["infomax"], 1, False)[1].run == made


def test_the_search_for_a_rate_counts_in_the_time(manager):
    base = write_run("base")
    steps = steps_in_all(base.config["pool"]["n"], base.settings)
    plain = training_seconds(manager, "base", False)
    assert plain == manager.snapshot("base").seconds > 0
    assert training_seconds(manager, "base", True) == plain * (1 + search_steps(steps) / steps)


def test_too_many_seeds_and_an_unknown_method_are_clear_errors(manager):
    write_run("base")
    with pytest.raises(UserError, match="Seeds: 11 is out of range; choose 1 to 10"):
        baselines(manager, "base", [], 11, False)
    with pytest.raises(UserError, match="Method: “x” is not known; choose one of"):
        queue_baselines(manager, "base", ["x"], 1, False)
    assert manager.ids() == ["base"]
