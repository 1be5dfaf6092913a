"""Start: one click, one run."""

import threading

from tests.helpers.pages import app, button, clean, errors, small_sample, wait_for_job  # noqa: F401
from ueo_core.config.settings import Settings
from ueo_core.drawings.nouns import NOUNS
from ueo_core.runs.create import create_run
from ueo_core.runs.lock import RunLock
from ueo_core.runs.manager import Manager
from ueo_core.utils.errors import UserError
from ueo_core.utils.paths import runs_root
from ueo_core.workspace.dataset import list_datasets
from ui.common import shell


def test_start_is_drawn_with_its_button(app):  # noqa: F811
    clean(app.run())
    assert button(app, "Watch it work now").proto.type == "primary"
    assert not app.header or app.header[0].value != "Your runs"


def test_a_double_click_makes_one_run_and_leads_to_live(app, small_sample, monkeypatch):  # noqa: F811
    submitted = []
    monkeypatch.setattr(Manager, "submit", lambda self, f: submitted.append(f.id) or f.id)
    app.run()
    request = app.session_state["ueo.watch"]
    button(app, "Watch it work now").click().run()
    from ui.common import demo_run

    demo_run._begin(request)  # what the callback of a second click does
    wait_for_job(f"watch-{request}")
    clean(app.run())
    assert len(submitted) == 1
    assert app.session_state["ueo.watch"] != request
    assert app.query_params["run"] in (submitted[0], [submitted[0]])
    config = shell.manager().folder(submitted[0]).config
    assert config["request"] == request and config["settings"]["backbone"] == "drawings-resnet"
    # Labels are in a file of their own, not in the run's configuration.
    assert set(config["classes"]) <= set(NOUNS)
    assert "labels" not in config


def test_a_failure_is_an_error_and_the_button_is_enabled_again(app, monkeypatch):  # noqa: F811
    def refuse(*_, **__):
        raise UserError("sample: <b>no</b> *disk*; free some space.")

    monkeypatch.setattr("ui.common.demo_run.sample_dataset", refuse)
    app.run()
    request = app.session_state["ueo.watch"]
    button(app, "Watch it work now").click().run()
    wait_for_job(f"watch-{request}")
    clean(app.run())
    assert errors(app) == ["sample: <b>no</b> *disk*; free some space."]
    app.switch_page("app.py")
    clean(app.run())
    assert not button(app, "Watch it work now").disabled


def test_the_drawing_is_cancelled_on_live_and_nothing_is_kept(app, small_sample, monkeypatch):  # noqa: F811
    from ui.common import demo_run

    going_on = threading.Event()
    draw = demo_run.sample_dataset

    def slow(progress, **options):
        going_on.wait(60)
        return draw(progress=progress, **options)

    monkeypatch.setattr(demo_run, "sample_dataset", slow)
    app.run()
    request = app.session_state["ueo.watch"]
    button(app, "Watch it work now").click().run()
    clean(app)
    assert app.title[0].value == "The sample is being drawn"
    assert any("ueo-thumbs {" in h.proto.body for h in app.get("html"))  # a grid, not a column
    button(app, "Cancel").click().run()
    going_on.set()
    wait_for_job(f"watch-{request}")
    clean(app.run())
    assert button(app, "Watch it work now")  # back on Start
    assert not list_datasets() and not shell.manager().ids()


def test_the_sample_is_drawn_ahead_only_where_nothing_was_done(app, small_sample, monkeypatch):  # noqa: F811
    from ui.common import demo_run

    clean(app.run())
    demo_run.draw_ahead()
    wait_for_job("sample-ahead")
    job = shell.jobs().get("sample-ahead")
    assert job.done == job.total > 0 and 0 < len(job.shown) <= 36
    assert all(url.startswith("data:image/jpeg;base64,") for url in job.shown)
    assert list_datasets() == []  # none that was not asked for
    request = app.session_state["ueo.watch"]
    monkeypatch.setattr(Manager, "submit", lambda self, f: f.id)
    monkeypatch.setattr("ueo_core.drawings.stored.drawn_files", None)  # it is not drawn again
    demo_run._begin(request)
    wait_for_job(f"watch-{request}")
    assert not shell.jobs().get(f"watch-{request}").error
    assert shell.jobs().get("sample-ahead") is None and len(list_datasets()) == 1
    demo_run.draw_ahead()  # there is a dataset now
    assert shell.jobs().get("sample-ahead") is None


def test_runs_are_offered_by_their_state(app):  # noqa: F811
    pool = {"n": 4, "set": "0" * 16, "store": "s", "name": "n", "fingerprint": "f"}
    for state in ("paused", "finished", "failed"):
        folder = create_run(runs_root() / state, Settings(), ["a", "b"], pool, title=state)
        folder.set_state(state, step=3, steps=9)
    clean(app.run())
    shown = " ".join(m.value for m in app.markdown)
    for state, color in (("paused", "orange"), ("finished", "green"), ("failed", "red")):
        assert f":{color}-badge[{state}] · step 3 of 9 · **new**" in shown


def test_a_fresh_session_is_taken_to_the_one_active_run(app, monkeypatch):  # noqa: F811
    pool = {"n": 4, "set": "0" * 16, "store": "s", "name": "n", "fingerprint": "f"}
    taken = []
    monkeypatch.setattr(shell, "go_to_run", taken.append)
    shell.manager()  # takes over runs left by other processes; this run is its own
    folder = create_run(runs_root() / "r", Settings(), ["a", "b"], pool)
    assert folder.state["state"] == "queued"
    with RunLock(folder.path):  # as held by the process that has it in its queue
        clean(app.run())
        assert taken == ["r"]
        clean(app.run())
        assert taken == ["r"]  # only once, so Start can still be opened
