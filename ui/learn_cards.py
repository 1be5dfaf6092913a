"""Pictures made of HTML: the eight drawings, bars of numbers, squares to scale."""

import base64

from ui.charts import KNOWN
from ui.plain import escaped

STYLE = """<style>
.learn-card { border: 1px solid var(--st-border-color, #8884); border-radius: 0.5rem; overflow: hidden; position: relative; }
.learn-card img { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; }
.learn-card p { margin: 0; padding: 0.4rem 0.6rem 0.5rem; line-height: 1.3; }
.learn-card b { font-size: 1.1rem; }
.learn-card .badge { position: absolute; left: 0.4rem; top: 0.4rem; padding: 0.1rem 0.5rem; border-radius: 0.4rem; color: #fff; font-weight: 600; }
.learn-card.ticked { outline: 4px dashed #8a5a9e; outline-offset: -4px; }
.learn-bars { display: grid; grid-template-columns: minmax(5rem, max-content) 1fr max-content; gap: 0.15rem 0.6rem; align-items: center; font-variant-numeric: tabular-nums; }
.learn-bars .track { height: 0.85rem; background: rgba(128,128,128,0.16); border-radius: 0.3rem; overflow: hidden; }
.learn-bars .fill { display: block; height: 100%; border-radius: 0.3rem; }
.learn-bars .top { font-weight: 700; }
[class*="st-key-learn-card-"] { flex: 1 1 9.5rem !important; max-width: 15rem; min-width: 9rem; }
.learn-squares { display: flex; flex-wrap: wrap; gap: 2rem; align-items: flex-end; }
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


def card(png: bytes, place: int, answer: str, sure: float, truth: str | None, ticked: bool) -> str:
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
        f'<div class="learn-card{" ticked" if ticked else ""}">{badge}'
        f'<img src="{image_url(png)}" alt="{escaped(alt)}">'
        f"<p>{place} · CLIP says <b>{escaped(answer)}</b><br>{100 * sure:.0f} % sure</p></div>"
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


def squares(counts: list[tuple[str, float, str]], side: float = 13) -> str:
    """All numbers of a model as a square, the trained ones as one within it, areas to scale.

    counts: (name, trained / all, caption); side: of the large square, rem
    """
    figures = []
    for name, share, caption in counts:
        figures.append(
            f'<figure><div class="all" style="width:{side}rem" role="img" aria-label="{escaped(name)}: the '
            f'trained numbers are {100 * share:.2f} percent of the area">'
            f'<div class="trained" style="width:{100 * share**0.5:.2f}%"></div><span>↖ trained</span></div>'
            f"<figcaption><b>{escaped(name)}</b><br>{caption}</figcaption></figure>"
        )
    return f'<div class="learn-squares">{"".join(figures)}</div>'
