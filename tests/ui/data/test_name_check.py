"""Data: the check of the class names."""

from tests.helpers.pages import app, at, button, clean, small_sample, wait_for_job  # noqa: F401
from ueo_core.workspace.dataset import list_datasets


def test_the_names_are_checked_on_the_datasets_photos(app, small_sample):  # noqa: F811
    at(app, "1_Data")
    button(app, "Draw the built-in sample").click().run()
    wait_for_job("intake")
    clean(app.run())
    (dataset,) = list_datasets()
    key = f"data.name-check.{dataset.id}"
    button(app, "Check the names").click().run()
    wait_for_job(key)
    clean(app.run())
    found = app.session_state[key]
    shown = " ".join(m.value for m in app.markdown).replace("\\", "")
    assert found.sentences and all(sentence in shown for sentence in found.sentences)
    assert found.classes == dataset.classes
    # Other names: what was found of the old ones is no longer shown.
    app.text_area[0].set_value("key, fish")
    button(app, "Save class names").click().run()
    clean(app.run())
    shown = " ".join(m.value for m in app.markdown).replace("\\", "")
    assert not any(sentence in shown for sentence in found.sentences)
    assert any("have changed since" in c.value for c in app.caption)
