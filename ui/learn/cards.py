"""Pictures made of HTML: the eight drawings, and squares whose areas are to scale."""

import base64

from ui.common.charts import KNOWN
from ui.common.text import escaped

STYLE = """<style>
.learn-squares { display: grid; grid-template-columns: repeat(auto-fit, minmax(7rem, 1fr)); gap: 1.2rem 1rem; max-width: 62rem; }
.learn-squares figure { margin: 0; }
.learn-squares .all { position: relative; aspect-ratio: 1; background: rgba(0,114,178,0.28); border-radius: 0.3rem; }
.learn-squares .trained { position: absolute; left: 0.8rem; top: 0.8rem; aspect-ratio: 1; background: #D55E00; }
.learn-squares span { position: absolute; left: 2.2rem; top: 1.6rem; }
.learn-squares figcaption { max-width: 14rem; margin-top: 0.4rem; }
.learn-term { text-decoration: underline dotted; text-underline-offset: 0.2em; cursor: help; border-radius: 0.2rem; }
.learn-term:is(:hover, :focus-visible, .lit) { background: rgba(230,159,0,0.35); outline: none; }
body:has(.learn-term[data-mark="trained"]:is(:hover, :focus)) .learn-squares .trained { outline: 0.4rem solid #E69F00; }
.learn-ask { font-weight: 600; }
.learn-outcome { margin: 0; }
.learn-lead { font-size: 1.22rem; line-height: 1.45; margin: 0; max-width: 78rem; }
.learn-do { font-size: 1.12rem; font-weight: 600; margin: 0.3rem 0 0.2rem; }
</style>"""


def image_url(png: bytes) -> str:
    """A PNG as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def card(png: bytes, place: int, prediction: tuple[str, float] | None, truth: str | None) -> str:
    """One drawing with CLIP's prediction.

    prediction: class and confidence, None while it is hidden
    truth: None while it is hidden, else the noun, or "unknown: noun"
    """
    badge, alt = "", f"Drawing {place}"
    if truth is not None:
        unknown = truth.startswith("unknown: ")
        mark = "◆" if unknown else "●"
        badge = (
            f'<span class="badge" style="background:{"#B44A00" if unknown else KNOWN}">'
            f"{mark} {escaped(truth)}</span>"
        )
        alt += f", {truth}"
    name, confidence, bar = "?", "", 0.0
    if prediction is not None:
        name, share = prediction
        confidence, bar = f"confidence {100 * share:.0f}\u00a0%", 100 * share
    return (
        f'{badge}<img src="{image_url(png)}" alt="{escaped(alt)}"><span class="says">'
        f"<span>{place} · Prediction</span><b>{escaped(name)}</b>"
        f"<span>{confidence or '&nbsp;'}</span>"
        f'<span class="sure"><i style="width:{bar:.0f}%"></i></span><span class="tick"></span></span>'
    )


def squares(counts: list[tuple[str, float | None, str]]) -> str:
    """All parameters of a model as a square, the trained ones as a square inside it, areas to scale.

    counts: (name, trained / all or None while it is hidden, caption)
    """
    figures = []
    for name, share, caption in counts:
        label, inside = "all parameters", ""
        if share is not None:
            label = f"the trained parameters are {100 * share:.2f} percent of the area"
            inside = (
                f'<div class="trained" style="width:{100 * share**0.5:.2f}%"></div>'
                "<span>↖ trained</span>"
            )
        figures.append(
            f'<figure><div class="all" role="img" aria-label="{escaped(name)}: {label}">{inside}</div>'
            f"<figcaption><b>{escaped(name)}</b><br>{caption}</figcaption></figure>"
        )
    return f'<div class="learn-squares">{"".join(figures)}</div>'
