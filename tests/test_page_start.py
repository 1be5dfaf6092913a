"""Start: one click, one run."""

import ueo_core as core
from tests.pages import app, button, clean, errors, small_sample, wait_for_job  # noqa: F401
from ueo_core.runs.claim import Claim
from ui import shell


def test_start_paints_and_offers_one_click(app):  # noqa: F811
    clean(app.run())
    assert button(app, "Watch it work now").proto.type == "primary"
    assert not app.header or app.header[0].value != "Your runs"


def test_a_double_click_makes_one_run_and_leads_to_live(app, small_sample, monkeypatch):  # noqa: F811
    submitted = []
    monkeypatch.setattr(core.Manager, "submit", lambda self, f: submitted.append(f.id) or f.id)
    app.run()
    request = app.session_state["ueo.watch"]
    button(app, "Watch it work now").click().run()
    from ui import start

    start._begin(request)  # what a second click's callback does
    wait_for_job(f"watch-{request}")
    clean(app.run())
    assert len(submitted) == 1
    assert app.session_state["ueo.watch"] != request
    config = shell.manager().folder(submitted[0]).config
    assert config["request"] == request and config["settings"]["backbone"] == "drawings-resnet"
    # Labels are kept apart from what a run is configured with.
    assert set(config["classes"]) <= set(core.NOUNS)
    assert "labels" not in config


def test_a_failure_is_one_sentence_and_the_button_is_back(app, monkeypatch):  # noqa: F811
    def refuse(*_, **__):
        raise core.UserError("sample: <b>no</b> *disk*; free some space.")

    monkeypatch.setattr("ueo_core.datasets.sample_dataset", refuse)
    app.run()
    request = app.session_state["ueo.watch"]
    button(app, "Watch it work now").click().run()
    wait_for_job(f"watch-{request}")
    clean(app.run())
    assert errors(app) == ["sample: <b>no</b> *disk*; free some space."]
    assert not button(app, "Watch it work now").disabled


def test_runs_are_offered_by_their_state(app):  # noqa: F811
    pool = {"n": 4, "set": "0" * 16, "store": "s", "name": "n", "fingerprint": "f"}
    for state in ("paused", "finished", "failed"):
        folder = core.create_run(
            core.runs_root() / state, core.Settings(), ["a", "b"], pool, title=state
        )
        folder.set_state(state, step=3, steps=9)
    clean(app.run())
    shown = " ".join(m.value for m in app.markdown)
    for state, colour in (("paused", "orange"), ("finished", "green"), ("failed", "red")):
        assert f":{colour}-badge[{state}] · step 3 of 9 · **new**" in shown


def test_a_fresh_session_is_taken_to_the_one_active_run(app, monkeypatch):  # noqa: F811
    pool = {"n": 4, "set": "0" * 16, "store": "s", "name": "n", "fingerprint": "f"}
    taken = []
    monkeypatch.setattr(shell, "go_to_run", taken.append)
    shell.manager()  # adopts what other processes left; this run is its own
    folder = core.create_run(core.runs_root() / "r", core.Settings(), ["a", "b"], pool)
    assert folder.state["state"] == "queued"
    with Claim(folder.path):  # as the process does that has it in its queue
        clean(app.run())
        assert taken == ["r"]
        clean(app.run())
        assert taken == ["r"]  # once: Start stays reachable
