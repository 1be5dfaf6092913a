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
.learn-lead { font-size: 1.22rem; line-height: 1.45; margin: 0; max-width: 78rem; }
.learn-do { font-size: 1.12rem; font-weight: 600; margin: 0.3rem 0 0.2rem; }
</style>"""


def image_url(png: bytes) -> str:
    """A PNG as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def card(png: bytes, place: int, prediction: str, confidence: float, truth: str | None) -> str:
    """One drawing with CLIP's prediction.

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
    return (
        f'{badge}<img src="{image_url(png)}" alt="{escaped(alt)}"><span class="says">'
        f"<span>{place} · Prediction</span><b>{escaped(prediction)}</b>"
        f"<span>confidence {100 * confidence:.0f}\u00a0%</span>"
        f'<span class="sure"><i style="width:{100 * confidence:.0f}%"></i></span><span class="tick"></span></span>'
    )


def squares(counts: list[tuple[str, float, str]]) -> str:
    """All parameters of a model as a square, the trained ones as a square inside it, areas to scale.

    counts: (name, trained / all, caption)
    """
    figures = []
    for name, share, caption in counts:
        figures.append(
            f'<figure><div class="all" role="img" aria-label="{escaped(name)}: the '
            f'trained parameters are {100 * share:.2f} percent of the area">'
            f'<div class="trained" style="width:{100 * share**0.5:.2f}%"></div><span>↖ trained</span></div>'
            f"<figcaption><b>{escaped(name)}</b><br>{caption}</figcaption></figure>"
        )
    return f'<div class="learn-squares">{"".join(figures)}</div>'
