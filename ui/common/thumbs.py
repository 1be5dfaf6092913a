"""Thumbnails of an image set, as pieces of HTML that a page can repeat without flicker."""

import base64
from functools import lru_cache
from pathlib import Path

from ueo_core.analysis.preview import picture_jpeg
from ueo_core.data.store import Store
from ueo_core.utils.errors import UserError
from ui.common.text import escaped

LARGE_SIDE = 320  # pixels of a large thumbnail; the store has small ones ready

STYLE = """<style>
.ueo-thumbs { display: flex; flex-wrap: wrap; gap: 0.75rem; }
.ueo-thumb { box-sizing: border-box; width: var(--thumb, 8.6rem); border-radius: 0.5rem; padding: 0.35rem; font-size: 0.82rem; line-height: 1.3;
  border: 2px solid color-mix(in srgb, currentColor 18%, transparent); overflow-wrap: anywhere; }
.ueo-thumb img { width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 0.3rem; display: block;
  margin-bottom: 0.3rem; background: color-mix(in srgb, currentColor 6%, transparent); }
.ueo-thumb.changed { border: 2px dashed #D55E00; }
.ueo-thumb .was { opacity: 0.7; }
.ueo-thumb .tag { font-weight: 650; }
.ueo-thumb .unknown { color: #D55E00; font-weight: 650; }
.ueo-thumb .unknown::before { content: "? "; }
.ueo-thumb .good::before { content: "✓ "; color: #009E73; font-weight: 700; }
.ueo-thumb .bad::before { content: "✗ "; color: #D55E00; font-weight: 700; }
.ueo-thumb .gone { aspect-ratio: 1; display: grid; place-items: center; opacity: 0.6; text-align: center; }
@media (max-width: 500px) { .ueo-thumb { width: min(var(--thumb, 8.6rem), calc(50% - 0.4rem)); } }
.ueo-small .ueo-thumbs { gap: 0.4rem; }
.ueo-small .ueo-thumb { width: calc(25% - 0.3rem); max-width: 6rem; padding: 0.2rem; font-size: 0.78rem; }
.ueo-small p { margin: 0.2rem 0 0.35rem; font-size: 0.9rem; }
</style>"""


@lru_cache(maxsize=16)
def _images(store: str, set_id: str):
    return Store(Path(store)).open(set_id)


@lru_cache(maxsize=1024)  # of about 5 kB each, large ones of 20 kB
def _source(store: str, set_id: str, index: int, large: bool) -> str:
    if large:
        jpeg = picture_jpeg({"store": store, "set": set_id}, index, LARGE_SIDE)
    else:
        jpeg = _images(store, set_id).thumbnail(index)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def source(reference: dict, index: int, large: bool = False) -> str:
    """One image of a set as a data URL; empty if it is no longer in the store."""
    try:
        return _source(reference["store"], reference["set"], int(index), large)
    except (UserError, IndexError):
        return ""


def picture(reference: dict, index: int, alt: str, large: bool = False) -> str:
    """An <img> of one image of a set, or a gray square if it is no longer in the store."""
    if not (found := source(reference, index, large)):
        return '<div class="gone">deleted</div>'
    return f'<img src="{found}" alt="{escaped(alt)}">'


def name(reference: dict, index: int) -> str:
    """The image's name within its set; empty if the set is deleted."""
    found = names(reference)
    return found[int(index)] if int(index) < len(found) else ""


def names(reference: dict) -> list[str]:
    """The names of all images of a set; none if the set is deleted."""
    try:
        return _images(reference["store"], reference["set"]).names
    except UserError:
        return []


def decision(prediction: str, confidence: float, unknown: bool, kind: str = "") -> list[str]:
    """What is decided of an image, as lines of HTML: a class, or unknown and the closest class.

    prediction: untrusted; confidence: 0 to 1; kind: good, bad, or neither.
    """
    name, sure = escaped(prediction), f"{100 * confidence:.0f}&nbsp;%"
    if not unknown:
        return [f'<span class="{f"tag {kind}".strip()}">{name}</span> {sure}']
    closest = f'<span class="was">(closest: {name} {sure})</span>'
    return [f'<span class="{f"unknown {kind}".strip()}">unknown</span> {closest}']


def card(
    reference: dict, index: int, lines: list[str], changed: bool = False, large: bool = False
) -> str:
    """One thumbnail with lines of HTML below it; a dashed frame marks a changed prediction.

    large: with the pixels for more than `store`'s thumbnails have.
    """
    alt = name(reference, index) or "image"
    return (
        f'<div class="ueo-thumb{" changed" if changed else ""}" title="{escaped(alt)}">'
        f"{picture(reference, index, alt, large)}{''.join(f'<div>{text}</div>' for text in lines)}</div>"
    )


def strip(cards: list[str], width: int | None = None) -> str:
    """Cards in a row that wraps. width: of a card, pixels."""
    style = f' style="--thumb: {width}px"' if width else ""
    return f'<div class="ueo-thumbs"{style}>{"".join(cards)}</div>'
