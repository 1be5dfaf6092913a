"""Terms in the sentences of a scene that have a mark in its picture. No torch here.

Pointing at such a term highlights the mark in the picture, and the other way round.
"""

import re
from html import escape

PHRASES: dict[str, tuple[str, ...]] = {  # mark → words for it
    "known": ("known images", "known drawings"),
    "unknown": ("unknown images", "unknown drawings", "the diamonds"),
    "star": ("mean prediction (the star)", "the star"),
    "corner": ("in a corner", "the corners"),
    "middle": ("in the middle",),
    "one": ("term one (w)", "term one", "solid arrows"),
    "two": ("term two (1/w)", "term two", "dashed arrows"),
    "w": ("a weight w",),
    "threshold": ("The threshold",),
    "trained": ("trained parameters", "context vectors"),
}
IN_PICTURE = {  # kind of picture → marks that it can highlight
    "triangle": ("known", "unknown", "star", "corner", "middle", "one", "two", "w"),
    "scores": ("known", "unknown", "threshold"),
    "trained": ("trained",),
}


def highlighted(text: str, picture: str) -> str:
    """A sentence as HTML: each term that the picture shows is a focusable span with its mark."""
    marks = {
        phrase.lower(): mark for mark in IN_PICTURE.get(picture, ()) for phrase in PHRASES[mark]
    }
    text = escape(text)
    if not marks:
        return text
    longest_first = sorted(marks, key=len, reverse=True)
    pattern = rf"(?<![\w-])({'|'.join(map(re.escape, longest_first))})(?!\w)"
    return re.sub(
        pattern,
        lambda found: (
            f'<span class="learn-term" tabindex="0" data-mark="{marks[found[0].lower()]}">'
            f"{found[0]}</span>"
        ),
        text,
        flags=re.IGNORECASE,
    )
