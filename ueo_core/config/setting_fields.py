"""The description of one setting, from which option, widget, check and comparison are derived."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ueo_core.utils.errors import UserError

_KEY = "setting"  # under which a dataclass field's metadata holds its Setting


@dataclass(frozen=True)
class Setting:
    """One setting as a person meets it: on the command line, on a page, in an error."""

    kind: type  # int, float, str or bool
    title: str  # the label of its widget
    help: str  # what it does, in full sentences
    low: float | None = None  # of a number
    high: float | None = None
    step: float | None = None
    format: str | None = None  # of the widget's number, printf style
    choices: Mapping[str, str] | None = None  # value → what it means
    empty: str | None = None  # what no value means, where the setting may be None
    word: str | None = None  # a value in place of a number, and what it means:
    word_title: str = ""
    slider: bool = False
    compared: bool = True  # whether a protocol takes it too; else a run alone does
    on_page: bool = True  # whether Adapt lists it under “Every setting”; else it has its own place

    def check(self, name: str, value: Any) -> None:
        """Raise a UserError for a value that no run can have."""
        if (value is None and self.empty is not None) or (self.word and value == self.word):
            return
        if self.choices is not None and value not in self.choices:
            raise UserError(
                f"{name}: “{value}” is not known; choose one of {', '.join(self.choices)}."
            )
        if self.kind is str and not isinstance(value, str):
            raise UserError(f"{name}: {str(value)[:60]} is no text; give one.")
        # `not (…)` also refuses NaN, which compares false with everything.
        if self.low is not None and (
            isinstance(value, (bool, str) if self.word else bool)
            or not (self.low <= value <= self.high)
        ):
            raise UserError(
                f"{name}: {value} is out of range; choose a value from {self.low:g} to {self.high:g}"
                f"{f', or {self.word}' if self.word else ''}."
            )

    def read(self, text: str) -> Any:
        """The value that a text stands for; ValueError if it is none."""
        return text if self.word and text == self.word else self.kind(text)

    def shown(self, value: Any) -> str:
        """A value as a person reads it."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        return "usual" if value in (None, "") else str(value)


def setting(default: Any, kind: type, title: str, help: str, **details: Any) -> Any:
    """A dataclass field with its Setting."""
    about = Setting(kind, title, help, **details)
    return dataclasses.field(default=default, metadata={_KEY: about})


def settings_of(cls: type) -> dict[str, Setting]:
    """The settings of a dataclass by name, in its order."""
    return {f.name: f.metadata[_KEY] for f in dataclasses.fields(cls) if _KEY in f.metadata}
