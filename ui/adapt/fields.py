"""One widget for every setting, built from its description in config.settings."""

from typing import Any

import streamlit as st

from ueo_core.config.setting_fields import Setting
from ueo_core.config.settings import SETTINGS, Settings
from ui.common.learn_link import why

# Every setting but backbone, weights and method, which have widgets of their own.
FIELDS = {name: about for name, about in SETTINGS.items() if about.on_page}
LEARN_TOPICS = {  # setting → its topic on Learn
    "trade": "trade",
    "weight_temperature": "temperature",
    "trained": "trained",
}


def key(field: str) -> str:
    """The session-state key of a setting's widget."""
    return f"adapt.field.{field}"


def draw() -> dict[str, Any]:
    """All widgets in three columns. → value by field"""
    columns, values = st.columns(3), {}
    for number, (field, about) in enumerate(FIELDS.items()):
        with columns[number % 3]:
            values[field] = _widget(field, about)
            if field in LEARN_TOPICS:
                why(LEARN_TOPICS[field])
    return values


def _widget(field: str, about: Setting) -> Any:
    common = {"key": key(field), "help": about.help}
    if about.kind is bool:
        return st.toggle(about.title, **common)
    if about.choices is not None:
        return st.selectbox(
            about.title, list(about.choices), format_func=about.choices.__getitem__, **common
        )
    if about.low is None:
        return st.text_input(about.title, **common)
    if about.word is not None:
        return _word_or_number(field, about, common)
    low, high, step = (about.kind(v) for v in (about.low, about.high, about.step))
    if about.slider:
        return st.slider(about.title, low, high, step=step, **common)
    if about.empty is not None:
        common |= {"value": None, "placeholder": about.empty}
    return st.number_input(
        about.title, min_value=low, max_value=high, step=step, format=about.format, **common
    )


def _word_or_number(field: str, about: Setting, common: dict[str, Any]) -> Any:
    """A number, and a switch that puts the setting's word in its place."""
    automatic = st.toggle(about.word_title, key=f"{key(field)}.{about.word}")
    assert about.step is not None, "a number has one"
    number = st.number_input(
        about.title,
        min_value=about.kind(about.low),
        max_value=about.kind(about.high),
        step=about.kind(about.step),
        format=about.format,
        disabled=automatic,
        **common,
    )
    return about.word if automatic else number


def filled() -> bool:
    """Whether every widget has its value in the session."""
    return all(
        name in st.session_state
        for field, about in FIELDS.items()
        for name in (key(field), *([f"{key(field)}.{about.word}"] if about.word else ()))
    )


def fill(chosen: Settings) -> None:
    """Put these settings into the widgets."""
    usual = Settings.for_backbone(chosen.backbone)
    for field, about in FIELDS.items():
        value = getattr(chosen, field)
        if about.word is not None:
            st.session_state[f"{key(field)}.{about.word}"] = value == about.word
            value = getattr(usual, field) if value == about.word else value
        st.session_state[key(field)] = value
