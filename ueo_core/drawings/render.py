"""From a noun and a domain to an image, deterministic by generator.

A *domain* is a way of drawing: the source of the teaching models is `painted`;
the others shift it, as a real user's photos are shifted from what CLIP has seen.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from ueo_core.drawings.nouns import NOUNS
from ueo_core.drawings.shapes import Part
from ueo_core.utils.errors import UserError

Generator = np.random.Generator

COLORS: dict[str, tuple[int, int, int]] = {
    "red": (212, 48, 44),
    "orange": (240, 138, 36),
    "yellow": (244, 208, 56),
    "green": (60, 160, 76),
    "blue": (52, 104, 214),
    "purple": (134, 70, 184),
    "pink": (240, 132, 178),
    "brown": (132, 86, 54),
    "gray": (134, 138, 144),
    "white": (240, 240, 236),
}
# How hard `night` is; chosen so that both models know half to three quarters of it unadapted.
NIGHT_GAPS = 1.4  # dead stretches per image side of tube
NIGHT_SHAKE = 0.04  # longest motion blur, share of the image's side
NIGHT_LIGHTS = 8  # city lights in the background, on average
NIGHT_DROPS = 24  # drops of rain, on average
SUPERSAMPLE = 2  # drawn twice as large and reduced: Pillow's polygons have no anti-aliasing


@dataclass(frozen=True)
class Scene:
    """What every domain paints: placed parts in pixels of a canvas of `side`, and their colors."""

    parts: list[Part]
    palette: dict[str, tuple[int, int, int]]
    side: int
    g: Generator


def _mapped(rgb: Iterable[float], change: Callable[[float], float]) -> tuple[int, int, int]:
    """A color with `change` applied to each of its channels."""
    red, green, blue = (int(change(v)) for v in rgb)
    return red, green, blue


def compose(noun: str, size: int, g: Generator) -> tuple[Scene, str]:
    """Choose color, place, size, slant and stretch of one thing. → (scene, body color's name)"""
    side = size * SUPERSAMPLE
    names = list(COLORS)
    body, accent = g.choice(len(names), 2, replace=False)

    def jitter(rgb: tuple[int, int, int]) -> tuple[int, int, int]:
        return _mapped(np.clip(np.array(rgb) + g.normal(0, 14, 3), 0, 255), float)

    base = jitter(COLORS[names[body]])
    palette: dict[str, tuple[int, int, int]] = {
        "body": base,
        "accent": jitter(COLORS[names[accent]]),
        "dark": _mapped(base, lambda v: v * 0.35),
        "light": _mapped(base, lambda v: v + (255 - v) * 0.72),
    }
    angle = np.deg2rad(g.normal(0, 12))
    scale = side / 2 * g.uniform(0.5, 0.82)
    stretch = np.exp(g.normal(0, 0.09, 2))
    matrix = (
        np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        @ np.array([[1, g.normal(0, 0.09)], [0, 1]])
        @ np.diag(stretch * [1 if g.random() < 0.5 else -1, 1])
    )
    free = side / 2 - scale
    center = side / 2 + g.uniform(-0.75, 0.75, 2) * free
    parts = [
        Part(p.points @ matrix.T * scale + center, p.role, p.closed, p.width * scale)
        for p in NOUNS[noun](g)
    ]
    return Scene(parts, palette, side, g), names[body]


def _corners(part: Part) -> list[tuple[float, float]]:
    return [tuple(p) for p in part.points]


def _line(draw: ImageDraw.ImageDraw, points, color, width: float) -> None:
    """A polyline with round joints and ends."""
    w = max(1, round(width))
    draw.line(points, fill=color, width=w, joint="curve")
    r = w / 2
    for x, y in (points[0], points[-1]):
        draw.ellipse((x - r, y - r, x + r, y + r), fill=color)


def _fill(draw: ImageDraw.ImageDraw, scene: Scene, palette=None) -> None:
    """Paint all parts flat, in order."""
    palette = palette or scene.palette
    for part in scene.parts:
        if part.closed:
            draw.polygon(_corners(part), fill=palette[part.role])
        else:
            _line(draw, _corners(part), palette[part.role], part.width)


def _outline(draw, scene: Scene, color, width: float, wobble: float = 0.0) -> None:
    """Trace the edge of every part; `wobble` shakes the hand (pixels)."""
    for part in scene.parts:
        points = part.points
        if wobble:
            slow = np.cumsum(scene.g.normal(0, 1, points.shape), 0)
            slow -= np.linspace(0, 1, len(points))[:, None] * slow[-1]
            points = (
                points
                + wobble * slow / max(1.0, np.abs(slow).max())
                + scene.g.normal(0, wobble / 3, 2)
            )
        corners = [tuple(p) for p in points]
        if part.closed:
            corners.append(corners[0])
        value = color(part) if callable(color) else color
        _line(draw, corners, value, width if part.closed else max(width, part.width * 0.5))


def _blotches(g: Generator, side: int, cells: int) -> np.ndarray:
    """Smooth noise in [-1, 1]. → (side, side, 1) float32"""
    coarse = Image.fromarray(g.uniform(-1, 1, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))[..., None]


def _ramp(g: Generator, side: int) -> np.ndarray:
    """A linear ramp from 0 to 1 in a random direction. → (side, side, 1) float32"""
    angle = g.uniform(0, 2 * np.pi)
    axis = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    ramp = axis[None, :] * np.cos(angle) + axis[:, None] * np.sin(angle)
    return ((ramp - ramp.min()) / (ramp.max() - ramp.min()))[..., None].astype(np.float32)


def _grain(g: Generator, side: int, channels: int, cells: int = 80) -> np.ndarray:
    """Standard normal noise, constant within cells, as coarse whatever the image's size.

    → (side, side, channels) float64
    """
    cell = np.arange(side) * cells // side
    return g.normal(0, 1, (cells, cells, channels))[cell][:, cell]


def _to_image(pixels: np.ndarray) -> Image.Image:
    """The image of values that are not needed any more: they are clipped in place."""
    return Image.fromarray(np.clip(pixels, 0, 255, out=pixels).astype(np.uint8))


def _backdrop(scene: Scene) -> Image.Image:
    """A photo-like background: two colors running into each other, clouded, sometimes a ground."""
    g, side = scene.g, scene.side // 2
    first, second = (np.array(g.uniform(30, 235, 3)) for _ in range(2))
    # A background too close to the thing's own color would hide it.
    if np.abs(first - np.array(scene.palette["body"])).sum() < 120:
        first = 255 - first
    field = (
        first
        + (0.6 * (second - first)) * _ramp(g, side)
        + 22 * _blotches(g, side, int(g.integers(3, 9)))
    )
    if g.random() < 0.5:
        horizon = int(side * g.uniform(0.6, 0.85))
        field[horizon:] *= g.uniform(0.6, 0.85)
    return _to_image(field).resize((scene.side, scene.side), Image.Resampling.BILINEAR)


def painted(scene: Scene) -> Image.Image:
    """The source domain: filled and shaded things with a shadow on a clouded background."""
    g, side = scene.g, scene.side
    image = _backdrop(scene)
    mask = Image.new("L", (side, side), 0)
    pen = ImageDraw.Draw(mask)
    _fill(pen, scene, dict.fromkeys(scene.palette, 255))
    offset = g.uniform(0.01, 0.05, 2) * side * np.array([g.choice([-1, 1]), 1])
    small = mask.resize((side // 4, side // 4)).filter(ImageFilter.GaussianBlur(side / 160))
    shadow = Image.new("L", (side, side), 0)
    shadow.paste(
        small.resize((side, side)).point(lambda v: v * 0.45), (int(offset[0]), int(offset[1]))
    )
    image.paste((0, 0, 0), (0, 0), shadow)
    thing = image.copy()
    draw = ImageDraw.Draw(thing)
    _fill(draw, scene)
    if g.random() < 0.5:
        _outline(draw, scene, scene.palette["dark"], side / 150)
    light = 1 + 0.38 * (_ramp(g, side) - 0.5) + 0.1 * _blotches(g, side, 6)
    shaded = _to_image(np.asarray(thing, np.float32) * light)
    image.paste(shaded, (0, 0), mask)
    if g.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(side / 200))
    return image


def sketch(scene: Scene) -> Image.Image:
    """Pencil on paper: outlines drawn twice by an unsteady hand, hatched shading, no color."""
    g, side = scene.g, scene.side
    paper = g.uniform(218, 250)
    page = paper + 7 * _blotches(g, side, 24) + np.zeros(3) + g.normal(0, 3, 3)
    image = _to_image(page)
    hatch = Image.new("L", (side, side), 0)
    pen = ImageDraw.Draw(hatch)
    gap, slope = side / g.uniform(22, 34), g.uniform(0.6, 1.6)
    for x in np.arange(-side * slope, side, gap):
        pen.line(
            [(x, side), (x + side * slope, 0)],
            fill=int(g.uniform(40, 105)),
            width=max(1, side // 150),
        )
    area = Image.new("L", (side, side), 0)
    dense = {"body": 150, "accent": 255, "dark": 255, "light": 0}
    _fill(ImageDraw.Draw(area), scene, dense)
    image.paste(
        (70, 70, 74),
        (0, 0),
        Image.fromarray((np.asarray(hatch, np.uint16) * np.asarray(area) // 255).astype(np.uint8)),
    )
    draw = ImageDraw.Draw(image)
    lead = int(g.uniform(30, 80))
    for _ in range(2):
        _outline(draw, scene, (lead, lead, lead + 4), side / g.uniform(90, 140), wobble=side / 120)
    return image


def neon(scene: Scene) -> Image.Image:
    """Glowing tubes at night: bright outlines with a halo on near-black."""
    g, side = scene.g, scene.side
    night = g.uniform(4, 30, 3) + 10 * _blotches(g, side, 5) + 12 * _ramp(g, side)
    tube = Image.new("RGB", (side, side), 0)

    def glow(part: Part):
        rgb = np.array(
            scene.palette["accent" if part.role in ("accent", "light") else "body"], float
        )
        return tuple(int(v) for v in 70 + 185 * rgb / max(rgb.max(), 1))

    _outline(ImageDraw.Draw(tube), scene, glow, side / g.uniform(48, 70), wobble=side / 300)
    quarter = tube.resize((side // 4, side // 4), Image.Resampling.BOX)
    halo = quarter.filter(ImageFilter.GaussianBlur(side / 90)).resize(
        (side, side), Image.Resampling.BILINEAR
    )
    # In place: most of the time of arithmetic on arrays of this size goes into new memory.
    night += np.asarray(tube)
    night += g.uniform(0.8, 1.3) * np.asarray(halo, np.float32)
    return _to_image(night)


def noisy(scene: Scene) -> Image.Image:
    """A painted thing through a bad camera: out of focus, pale, color-cast, grainy."""
    g, side = scene.g, scene.side
    blurred = painted(scene).filter(ImageFilter.GaussianBlur(side / g.uniform(70, 110)))
    sharp = np.asarray(blurred.reduce(SUPERSAMPLE), np.float32)
    pixels = 128 + (sharp - 128) * g.uniform(0.5, 0.85) + g.normal(0, 18, 3)
    small = side // SUPERSAMPLE
    pixels = pixels + g.uniform(24, 44) * _grain(g, small, 3)
    return _to_image(pixels)


def chalk(scene: Scene) -> Image.Image:
    """Chalk on a board: rough pale outlines and rubbed, broken fills."""
    g, side = scene.g, scene.side
    base = np.array([(38, 62, 50), (44, 46, 50), (34, 46, 66)][g.integers(3)], float)
    board = base + 12 * _blotches(g, side, 7)
    layer = Image.new("RGB", (side, side), 0)
    draw = ImageDraw.Draw(layer)
    pale = {k: tuple(int(v * 0.5 + 100) for v in c) for k, c in scene.palette.items()}
    faint = {k: tuple(int(v * 0.45) for v in c) for k, c in pale.items()}
    _fill(draw, scene, faint)
    _outline(draw, scene, lambda part: pale[part.role], side / g.uniform(42, 60), wobble=side / 130)
    tooth = (0.75 + 0.35 * _grain(g, side, 1, cells=160)).clip(0, 1)
    return _to_image(board + np.asarray(layer, np.float32) * tooth)


def blueprint(scene: Scene) -> Image.Image:
    """A technical drawing: thin white lines over a grid on blue."""
    g, side = scene.g, scene.side
    blue = np.array([28, 74, 150]) + g.normal(0, 12, 3)
    image = _to_image(blue + 8 * _blotches(g, side, 5))
    draw = ImageDraw.Draw(image)
    step, shift = side / g.uniform(9, 14), g.uniform(0, 20)
    grid = tuple(int(v) for v in np.clip(blue + 34, 0, 255))
    for at in np.arange(shift, side, step):
        draw.line([(at, 0), (at, side)], fill=grid, width=max(1, side // 180))
        draw.line([(0, at), (side, at)], fill=grid, width=max(1, side // 180))
    _outline(draw, scene, (222, 232, 246), side / g.uniform(80, 120))
    return image


def night(scene: Scene) -> Image.Image:
    """A failing neon sign seen through a wet window: dead tubes, city lights, rain, a shaky camera."""
    g = scene.g
    lit = [p for part in scene.parts for p in _broken(part, g, scene.side)]
    sign = neon(replace(scene, parts=lit)).reduce(SUPERSAMPLE)
    side = sign.width
    street = Image.new("RGB", (side // 2, side // 2), 0)
    lamps = ImageDraw.Draw(street)
    for _ in range(g.poisson(NIGHT_LIGHTS)):
        x, y = g.uniform(0, side / 2, 2)
        r = g.uniform(0.02, 0.07) * side / 2
        hue = np.array(COLORS[list(COLORS)[g.integers(len(COLORS))]]) * g.uniform(0.25, 0.7)
        lamps.ellipse((x - r, y - r, x + r, y + r), fill=tuple(int(v) for v in hue))
    bokeh = street.filter(ImageFilter.GaussianBlur(side / 2 / g.uniform(50, 90)))
    rain = Image.new("L", (side, side), 0)
    drops = ImageDraw.Draw(rain)
    slant = g.uniform(-0.25, 0.25)
    for _ in range(g.poisson(NIGHT_DROPS)):
        x, y, length = g.uniform(0, side), g.uniform(0, side), g.uniform(0.05, 0.18) * side
        shade = int(g.uniform(30, 110))
        drops.line(
            [(x, y), (x + slant * length, y + length)], fill=shade, width=max(1, side // 120)
        )
    scene_light = ImageChops.add(sign, bokeh.resize((side, side)))
    scene_light = ImageChops.add(scene_light, Image.merge("RGB", (rain, rain, rain)))
    pixels = _shake(scene_light, g, side) * g.uniform(0.7, 1.0) + g.normal(0, 6, 3)
    return _to_image(pixels + 9 * _grain(g, side, 1, 160))


def _broken(part: Part, g: Generator, side: int) -> list[Part]:
    """A tube's outline with dead stretches left out, as open strokes."""
    points = np.concatenate([part.points, part.points[:1]]) if part.closed else part.points
    # Corners may be far apart: walk the outline in small steps, so that a gap has its length.
    at = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    if at[-1] < 1:
        return []
    walk = np.linspace(0, at[-1], max(4, int(at[-1] / (side * 0.02))))
    points = np.stack([np.interp(walk, at, points[:, k]) for k in (0, 1)], 1)
    alive = np.ones(len(points), bool)
    for _ in range(g.poisson(at[-1] / side * NIGHT_GAPS)):
        start = int(g.integers(len(points)))
        alive[start : start + max(2, int(g.uniform(0.04, 0.14) * side / (side * 0.02)))] = False
    edges = np.flatnonzero(np.diff(np.concatenate([[0], alive.astype(int), [0]])))
    return [
        Part(points[a:b], part.role, False, part.width)
        for a, b in edges.reshape(-1, 2)
        if b - a > 1
    ]


def _shake(image: Image.Image, g: Generator, side: int) -> np.ndarray:
    """Motion blur: the mean of copies shifted along a short line. → float32 (side, side, 3)"""
    angle, reach = g.uniform(0, 2 * np.pi), g.uniform(0.0, NIGHT_SHAKE) * side
    total = np.zeros((side, side, 3), np.float32)
    for t in np.linspace(-0.5, 0.5, 7):
        dx, dy = round(t * reach * np.cos(angle)), round(t * reach * np.sin(angle))
        total += np.asarray(ImageChops.offset(image, dx, dy))
    return total / 7


DOMAINS: dict[str, Callable[[Scene], Image.Image]] = {
    f.__name__: f for f in (painted, sketch, neon, noisy, chalk, blueprint, night)
}
SOURCE_DOMAIN = "painted"


def check_noun(name: str) -> str:
    """The noun itself, if it can be drawn; else a UserError that lists those that can."""
    if name not in NOUNS:
        raise UserError(f"Class “{name}”: it cannot be drawn; choose among {', '.join(NOUNS)}.")
    return name


def check_domain(name: str) -> str:
    """The domain itself, if there is one of that name; else a UserError that lists them."""
    if name not in DOMAINS:
        raise UserError(f"Domain “{name}”: not known; choose one of {', '.join(DOMAINS)}.")
    return name


def render(noun: str, domain: str, g: Generator, size: int = 160) -> tuple[Image.Image, str]:
    """Draw one image.

    noun: a key of NOUNS; domain: a key of DOMAINS; g: decides everything else;
    size: side in pixels. → (RGB image of size × size, name of the body color)
    """
    scene, color = compose(check_noun(noun), size, g)
    image = DOMAINS[check_domain(domain)](scene)
    if image.width != size:
        image = image.reduce(image.width // size)
    return image, color
