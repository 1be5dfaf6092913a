"""The eight drawings: CLIP's predictions, and guesses which are unknown."""

import streamlit as st

from ueo_core.learn.link import Link
from ui.common.shell import jobs
from ui.learn import stage_cache, state
from ui.learn.cards import card
from ui.learn.script import picture

_CARDS = picture("cards", "cards.html", ("cards.css",), ("cards.js",))


def draw(link: Link, say) -> None:
    """Eight drawings with CLIP's predictions; in the second scene they can be ticked. say: takes the numbers."""
    from ueo_core.learn.sentence_numbers import of_eight
    from ueo_core.learn.stage import eight as choose

    now = stage_cache.stage()
    chosen = choose(now, link.draw)
    sure = now.sure(chosen)
    guessing = link.scene == "strangers"
    revealed = guessing and bool(link.reveal)
    say(of_eight(now, link.draw, link.ticks if guessing else 0, revealed))
    _buttons(link, guessing)
    cards = []
    for place, i in enumerate(chosen):
        noun = now.problem.test[i]
        truth = noun if now.truth[i] >= 0 else f"unknown: {noun}"
        cards.append(
            card(
                now.image(i),
                place + 1,
                now.predicted_class(i),
                float(sure[place]),
                truth if revealed else None,
            )
        )
    key = f"learn.cards.{link.scene}"
    _CARDS(
        key=key,
        data={
            "cards": cards,
            "guessing": guessing and state.shown(link, "ticks"),
            "ticks": state.sent().ticks,
            # Differs whenever Python, not the viewer, has chosen what is ticked.
            "asked": f"{link.draw}.{state.sent().ticks}",
        },
        on_now_change=lambda: _ticked(key),
    )
    # While the eight are shown, the scenes after this one are prepared.
    jobs().start("learn-all", "Encoding the drawings", lambda job: now.cosines)


def _ticked(key: str) -> None:
    ticks = int((st.session_state[key].now or {}).get("ticks", 0))
    state.note(settled=True, ticks=min(max(ticks, 0), 255))


def _buttons(link: Link, guessing: bool) -> None:
    with st.container(horizontal=True):
        if guessing and state.shown(link, "reveal"):
            st.button(
                "Hide again" if link.reveal else "Reveal",
                icon=":material/visibility_off:" if link.reveal else ":material/visibility:",
                type="primary",
                shortcut="V",
                key="learn.reveal",
                on_click=lambda: state.change(reveal=1 - link.reveal),
            )
        if state.shown(link, "seed"):
            st.button(
                "Eight other drawings",
                icon=":material/casino:",
                shortcut="B",
                key="learn.others",
                on_click=lambda: state.change(draw=(link.draw + 1) % 1000, ticks=0, reveal=0),
            )
