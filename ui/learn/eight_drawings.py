"""The eight drawings: CLIP's predictions, and the viewer's marks of unknown drawings."""

from collections.abc import Callable

import streamlit as st

from ueo_core.learn.link import Link
from ui.common.shell import jobs
from ui.learn import demo_cache, state
from ui.learn.cards import card
from ui.learn.component import component

_CARDS = component("cards", "cards.html", ("cards.css",), ("cards.js",))


def draw(link: Link, write_text: Callable[..., None]) -> None:
    """Eight drawings with CLIP's predictions; in the scene `strangers` the viewer can mark them.

    write_text: is called with the numbers of the sentences and the outcome
    """
    from ueo_core.learn import happened
    from ueo_core.learn.demo import draw_eight
    from ueo_core.learn.sentence_numbers import of_eight

    now = demo_cache.demo()
    chosen = draw_eight(now, link.draw)
    confidence = now.confidence(chosen)
    guessing = link.scene == "strangers"
    revealed = guessing and bool(link.reveal)
    write_text(
        of_eight(now, link.draw, link.ticks if guessing else 0, revealed),
        happened.of_eight(now, link.draw) if link.shows_result else None,
    )
    _buttons(link, guessing)
    cards = []
    for place, i in enumerate(chosen):
        noun = now.problem.test[i]
        truth = noun if now.truth[i] >= 0 else f"unknown: {noun}"
        cards.append(
            card(
                now.image(i),
                place + 1,
                (now.prediction(i), float(confidence[place])) if link.shows_result else None,
                truth if revealed else None,
            )
        )
    key = f"learn.cards.{link.scene}"
    _CARDS(
        key=key,
        data={
            "cards": cards,
            "guessing": guessing and state.is_shown(link, "ticks"),
            "large": bool(link.present),
            "ticks": state.last_sent().ticks,
            # Changes whenever Python, and not the viewer, has changed the marks.
            "request": f"{link.draw}.{state.last_sent().ticks}",
        },
        on_now_change=lambda: _marks_changed(key),
    )
    # Compute what the next scenes need while the viewer looks at the eight drawings.
    jobs().start("learn-all", "The drawings of Learn", lambda job: now.cosines)


def _marks_changed(key: str) -> None:
    ticks = int((st.session_state[key].now or {}).get("ticks", 0))
    state.remember(settled=True, ticks=min(max(ticks, 0), 255))


def _buttons(link: Link, guessing: bool) -> None:
    with st.container(horizontal=True):
        if guessing and state.is_shown(link, "reveal"):
            st.button(
                "Hide" if link.reveal else "Reveal",
                icon=":material/visibility_off:" if link.reveal else ":material/visibility:",
                type="primary",
                shortcut="V",
                key="learn.reveal",
                on_click=lambda: state.change(reveal=1 - link.reveal),
            )
        if state.is_shown(link, "seed"):
            st.button(
                "New drawings",
                icon=":material/casino:",
                shortcut="B",
                key="learn.others",
                on_click=lambda: state.change(
                    draw=(link.draw + 1) % 1000, ticks=0, reveal=0, predicted=0, played=0
                ),
            )
