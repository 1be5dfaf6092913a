"""Pictures made of HTML: the eight drawings, bars of numbers, squares to scale."""

import base64

from ui.charts import KNOWN
from ui.plain import escaped

STYLE = """<style>
.learn-bars { display: grid; grid-template-columns: minmax(5rem, max-content) 1fr max-content; gap: 0.15rem 0.6rem; align-items: center; font-variant-numeric: tabular-nums; }
.learn-bars .track { height: 0.85rem; background: rgba(128,128,128,0.16); border-radius: 0.3rem; overflow: hidden; }
.learn-bars .fill { display: block; height: 100%; border-radius: 0.3rem; }
.learn-bars .top { font-weight: 700; }
.learn-sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 0.5rem 2rem; }
.learn-sides h4 { margin: 0; padding: 0.2rem 0; }
.learn-sides p { margin: 0.5rem 0 0.2rem; font-size: 0.9rem; opacity: 0.8; }
.learn-squares { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: 1.5rem; max-width: 62rem; }
.learn-squares figure { margin: 0; }
.learn-squares .all { position: relative; aspect-ratio: 1; background: rgba(0,114,178,0.28); border-radius: 0.3rem; }
.learn-squares .trained { position: absolute; left: 0.8rem; top: 0.8rem; aspect-ratio: 1; background: #D55E00; }
.learn-squares span { position: absolute; left: 2.2rem; top: 1.6rem; }
.learn-squares figcaption { max-width: 14rem; margin-top: 0.4rem; }
.learn-lead { font-size: 1.22rem; line-height: 1.45; margin: 0; max-width: 78rem; }
.learn-do { font-size: 1.12rem; font-weight: 600; margin: 0.3rem 0 0.2rem; }
</style>"""


def image_url(png: bytes) -> str:
    """A PNG as a URL that needs no request."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def card(png: bytes, place: int, answer: str, sure: float, truth: str | None) -> str:
    """One drawing with CLIP's answer. truth: None while hidden, else its noun or "stranger: noun"."""
    badge, alt = "", f"Drawing {place}"
    if truth is not None:
        stranger = truth.startswith("stranger")
        mark = "◆" if stranger else "●"
        badge = (
            f'<span class="badge" style="background:{"#B44A00" if stranger else KNOWN}">'
            f"{mark} {escaped(truth)}</span>"
        )
        alt += f", {truth}"
    return (
        f'{badge}<img src="{image_url(png)}" alt="{escaped(alt)}"><span class="says">'
        f"<span>{place} · CLIP says</span><b>{escaped(answer)}</b><span>{100 * sure:.0f} % sure</span>"
        f'<span class="sure"><i style="width:{100 * sure:.0f}%"></i></span><span class="tick"></span></span>'
    )


def bars(rows: list[tuple[str, float, str]], top: float, colour: str, strong: int) -> str:
    """Horizontal bars. rows: (name, value ≥ 0, text); top: the full width; strong: row in bold."""
    cells = []
    for i, (name, value, text) in enumerate(rows):
        bold = ' class="top"' if i == strong else ""
        width = 100 * min(1.0, max(0.0, value / top)) if top > 0 else 0
        cells.append(
            f'<span{bold}>{escaped(name)}</span><span class="track"><span class="fill" '
            f'style="width:{width:.1f}%;background:{colour}"></span></span><span{bold}>{text}</span>'
        )
    return f'<div class="learn-bars">{"".join(cells)}</div>'


def squares(counts: list[tuple[str, float, str]]) -> str:
    """All numbers of a model as a square, the trained ones as one within it, areas to scale.

    counts: (name, trained / all, caption)
    """
    figures = []
    for name, share, caption in counts:
        figures.append(
            f'<figure><div class="all" role="img" aria-label="{escaped(name)}: the '
            f'trained numbers are {100 * share:.2f} percent of the area">'
            f'<div class="trained" style="width:{100 * share**0.5:.2f}%"></div><span>↖ trained</span></div>'
            f"<figcaption><b>{escaped(name)}</b><br>{caption}</figcaption></figure>"
        )
    return f'<div class="learn-squares">{"".join(figures)}</div>'
