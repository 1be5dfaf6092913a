"""The picture of what the studio does, made of its own drawings."""

import base64
import html
import io

import numpy as np
import streamlit as st

from ueo_core.drawings.render import render
from ueo_core.drawings.sample import SHOWCASE_DOMAIN

DOMAIN = SHOWCASE_DOMAIN
KNOWN = ("key", "fish", "star")
BLUE, VERMILION = "#0072B2", "#D55E00"  # known and unknown, here and on every page
TILE = 84

# Tiles of the pool: noun, which of its drawings, x, y, rotation in degrees.
_POOL = (
    ("fish", 0, 30, 92, -9),
    ("umbrella", 0, 128, 74, 6),
    ("star", 0, 226, 96, -5),
    ("key", 1, 300, 70, 9),
    ("star", 1, 66, 172, 7),
    ("key", 0, 168, 168, -7),
    ("car", 0, 262, 184, 5),
    ("fish", 1, 26, 258, 4),
    ("umbrella", 1, 122, 262, -6),
    ("key", 2, 214, 272, 8),
    ("star", 2, 306, 262, -8),
    ("fish", 2, 330, 166, 10),
)


ABOUT = (
    "Left: a pool of unlabeled photos of keys, fish and stars, mixed with umbrellas and a car. "
    "Middle: CLIP adapts with UEO, given only the class names key, fish and star. Right: known images "
    "sorted by class, and unknown images set aside."
)
INK = {False: "#1B2733", True: "#E8EDF2"}  # by dark theme


# On a phone, the three parts stand below each other, each as wide as the picture.
_STYLE = """<style>
.st-key-ueo-overview-tall { display: none; }
@media (max-width: 640px) {
  .st-key-ueo-overview-wide { display: none; }
  .st-key-ueo-overview-tall { display: flex; }
}
</style>"""


def draw(dark: bool) -> None:
    """The picture, in the colors of the viewer's theme."""
    st.html(_STYLE)
    for key, picture in (("ueo-overview-wide", svg), ("ueo-overview-tall", tall_svg)):
        with st.container(key=key):
            st.image(picture(INK[dark]), alt=ABOUT, width="stretch")


@st.cache_data(show_spinner=False)
def svg(ink: str) -> str:
    """An SVG image: unlabeled photos, UEO, known images by class, unknown images set aside."""
    return _framed("-10 0 1450 416", ink, [*_pool(), _arrow(452, 200), *_ways()])


@st.cache_data(show_spinner=False)
def tall_svg(ink: str) -> str:
    """The same picture for a narrow screen: the three parts below each other."""
    pool, engine, result = _pool(), [_engine()], _result()
    return _framed(
        "-10 0 610 1290",
        ink,
        [
            _moved(70, 0, pool),
            _down(300, 420),
            _moved(-330, 490, engine),
            _down(300, 845),
            _moved(-841, 910, result),
        ],
    )


def _moved(x: int, y: int, parts: list[str]) -> str:
    return f'<g transform="translate({x} {y})">{"".join(parts)}</g>'


def _down(x: int, y: int) -> str:
    return f'<g transform="translate({x} {y}) rotate(90)">{_arrow(0, 0)}</g>'


def _pool() -> list[str]:
    parts = [_text(226, 40, "Unlabeled photos", 27, 650)]
    parts += [_tile(*tile) for tile in _POOL]
    parts += [_text(226, 398, "some of your classes, some of none", 22, 400, 0.75)]
    return parts


def _ways() -> list[str]:
    return [_engine(), _arrow(742, 200), *_result()]


def _result() -> list[str]:
    parts = []
    for row, noun in enumerate(KNOWN):
        top = 62 + row * 98
        parts.append(_bin(838, top, 360, 90, BLUE, dashed=False))
        parts.append(_text(912, top + 53, noun, 26, 650))
        parts += [_tile(noun, i, 984 + i * 70, top + 13, 0, 64) for i in range(3)]
    parts.append(_bin(1232, 62, 160, 286, VERMILION, dashed=True))
    parts += [_tile("umbrella", 0, 1280, 82, 0, 64), _tile("umbrella", 1, 1280, 172, 0, 64)]
    parts.append(_tile("car", 0, 1280, 262, 0, 64))
    parts += [
        _text(998, 40, "Known: sorted by class", 27, 650),
        _text(1312, 40, "Unknown: set aside", 27, 650),
        _text(1106, 398, "every image with a known/unknown score", 22, 400, 0.75),
    ]
    return parts


def _framed(box: str, ink: str, parts: list[str]) -> str:
    return (
        f'<svg viewBox="{box}" xmlns="http://www.w3.org/2000/svg" '
        f'fill="{ink}" color="{ink}" '
        f'font-family="Source Sans Pro, Source Sans, Segoe UI, Helvetica Neue, Arial, sans-serif">'
        f"{''.join(parts)}</svg>"
    )


def _engine() -> str:
    """CLIP and its input: class names, no labels."""
    chips = "".join(
        f'<rect x="{530 + i * 68}" y="262" width="62" height="36" rx="18" fill="{BLUE}"/>'
        + _text(561 + i * 68, 287, noun, 21, 600, fill="#FFFFFF")
        for i, noun in enumerate(KNOWN)
    )
    return (
        f'<circle cx="630" cy="160" r="78" fill="none" stroke="{BLUE}" stroke-width="7"/>'
        + _hill(604, VERMILION, 'stroke-dasharray="9 7"')
        + _hill(660, BLUE, "")
        + _text(630, 40, "CLIP adapts with UEO", 27, 650)
        + chips
        + _text(630, 336, "given only class names", 23, 500)
    )


def _hill(x: int, color: str, dash: str) -> str:
    """One of the two score distributions that the Live page shows moving apart."""
    return (
        f'<path d="M {x - 36} 192 C {x - 14} 192 {x - 14} 116 {x} 116 C {x + 14} 116 {x + 14} 192 '
        f'{x + 36} 192" fill="{color}" fill-opacity="0.12" stroke="{color}" stroke-width="5" '
        f'stroke-linecap="round" {dash}/>'
    )


def _arrow(x: int, y: int) -> str:
    return (
        f'<path d="M {x} {y} h 50 m -18 -17 l 18 17 l -18 17" fill="none" stroke="currentColor" '
        'stroke-width="6" stroke-linecap="round" stroke-linejoin="round" opacity="0.6"/>'
    )


def _bin(x: int, y: int, width: int, height: int, color: str, dashed: bool) -> str:
    dash = 'stroke-dasharray="10 8"' if dashed else ""
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="12" fill="{color}" '
        f'fill-opacity="0.08" stroke="{color}" stroke-width="3.5" {dash}/>'
    )


def _tile(noun: str, index: int, x: int, y: int, rotation: float = 0, side: int = TILE) -> str:
    middle = f"{x + side / 2} {y + side / 2}"
    return (
        f'<g transform="rotate({rotation} {middle})"><rect x="{x - 4}" y="{y - 4}" width="{side + 8}" '
        f'height="{side + 8}" rx="7" fill="#FFFFFF" stroke="#8A97A3" stroke-width="1.2"/>'
        f'<image href="{_drawing(noun, index)}" x="{x}" y="{y}" width="{side}" height="{side}"/></g>'
    )


def _drawing(noun: str, index: int) -> str:
    """A drawing as a data URL."""
    g = np.random.default_rng([*noun.encode(), index])
    buffer = io.BytesIO()
    render(noun, DOMAIN, g, 128)[0].save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _text(
    x: int,
    y: int,
    text: str,
    size: int,
    weight: int,
    opacity: float = 1,
    fill: str = "currentColor",
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" text-anchor="middle" '
        f'opacity="{opacity}" fill="{fill}">{html.escape(text)}</text>'
    )
