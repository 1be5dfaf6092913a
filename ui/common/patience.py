"""How far something slow has got, shown only where it is slow."""

import time

import streamlit as st

from ui.common.text import duration

PATIENT = 0.5  # seconds


class Patience:
    """A progress bar with the time left, from the second item on; a click elsewhere leaves it."""

    def __init__(self, words: str):
        self.words, self.place, self.began = words, st.empty(), time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        spent = time.monotonic() - self.began
        if done and spent > PATIENT:
            left = duration(spent / done * (total - done))
            self.place.progress(done / total, f"{self.words}: {done} of {total}, {left} left")

    def over(self) -> None:
        """Take the bar away."""
        self.place.empty()
