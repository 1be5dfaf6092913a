"""The drawn things: one function a noun, every call a little different.

Each function takes a NumPy generator and returns the parts of one thing, painted
in order. `NOUNS` is the vocabulary of the Drawings.
"""

from collections.abc import Callable, Iterable

import numpy as np

from ueo_core.drawings.shapes import (
    Part,
    arc,
    box,
    ellipse,
    ellipse_points,
    polygon,
    radial,
    smooth,
    stroke,
)

Generator = np.random.Generator


def anchor(g: Generator) -> list[Part]:
    w = g.uniform(0.6, 0.8)
    flukes = [
        polygon([(s * w - s * 0.26, 0.38), (s * (w + 0.12), 0.12), (s * (w + 0.08), 0.55)])
        for s in (-1, 1)
    ]
    return [
        arc(0, 0.2, w, 0.65, 10, 170, "body", 0.18),
        *flukes,
        box(-0.1, -0.55, 0.1, 0.88),
        box(-0.45, -0.45, 0.45, -0.28),
        arc(0, -0.74, 0.19, 0.19, 0, 360, "body", 0.13),
    ]


def apple(g: Generator) -> list[Part]:
    w = g.uniform(0.75, 0.9)
    fruit = [(0, -0.38), (0.4 * w, -0.55), (w, -0.1), (0.65 * w, 0.7), (0.2, 0.86), (0, 0.78)]
    fruit += [(-x, y) for x, y in fruit[-2:0:-1]]
    lean = g.uniform(-0.15, 0.15)
    return [
        smooth(fruit),
        stroke([(0, -0.35), (lean, -0.85)], "dark", 0.1),
        smooth([(lean * 0.5, -0.6), (0.35, -0.95), (0.62, -0.75), (0.3, -0.58)], "accent"),
        ellipse(-0.38 * w, -0.05, 0.12, 0.2, "light"),
    ]


def balloon(g: Generator) -> list[Part]:
    r = g.uniform(0.5, 0.62)
    sway = g.uniform(-0.25, 0.25)
    return [
        smooth([(0, 0.32), (sway, 0.55), (-sway, 0.8), (0, 1.0)], "dark", False, 0.05),
        smooth([(0, -0.95), (r, -0.65), (r, -0.15), (0, 0.26), (-r, -0.15), (-r, -0.65)]),
        polygon([(-0.1, 0.36), (0.1, 0.36), (0, 0.2)]),
        ellipse(-0.45 * r, -0.55, 0.1, 0.18, "light"),
    ]


def bell(g: Generator) -> list[Part]:
    w = g.uniform(0.62, 0.78)
    side = [(0.0, -0.75), (0.36, -0.62), (0.45, 0.0), (w, 0.45), (w + 0.08, 0.6)]
    return [
        ellipse(0, 0.66, 0.2, 0.2, "dark"),
        smooth([*side, *[(-x, y) for x, y in side[:0:-1]]]),
        box(-w - 0.08, 0.45, w + 0.08, 0.6, "accent"),
        arc(0, -0.8, 0.14, 0.14, 0, 360, "dark", 0.09),
    ]


def boat(g: Generator) -> list[Part]:
    lean = g.uniform(0.0, 0.15)
    return [
        stroke([(0, -0.95), (0, 0.4)], "dark", 0.09),
        polygon([(0.08, -0.9), (0.08, 0.22), (0.72, 0.22 - lean)], "light"),
        polygon([(-0.08, -0.65), (-0.08, 0.22), (-0.58, 0.22)], "accent"),
        polygon([(-0.9, 0.35), (0.95, 0.35), (0.6, 0.85), (-0.6, 0.85)]),
    ]


def book(g: Generator) -> list[Part]:
    d = g.uniform(0.12, 0.25)
    lines = [
        stroke([(s * 0.18, y), (s * 0.72, y - d * 0.4)], "dark", 0.05)
        for s in (-1, 1)
        for y in (-0.15, 0.1, 0.35)
    ]
    return [
        polygon(
            [(0, -0.42), (0.95, -0.55), (0.95, 0.55), (0, 0.75), (-0.95, 0.55), (-0.95, -0.55)]
        ),
        polygon([(0, -0.4), (0.84, -0.62 + d / 3), (0.84, 0.42), (0, 0.6)], "light"),
        polygon([(0, -0.4), (-0.84, -0.62 + d / 3), (-0.84, 0.42), (0, 0.6)], "light"),
        stroke([(0, -0.42), (0, 0.68)], "dark", 0.06),
        *lines,
    ]


def bottle(g: Generator) -> list[Part]:
    w = g.uniform(0.28, 0.38)
    n = g.uniform(0.1, 0.14)
    return [
        smooth(
            [
                (n, -0.7),
                (n, -0.35),
                (w, -0.05),
                (w, 0.85),
                (-w, 0.85),
                (-w, -0.05),
                (-n, -0.35),
                (-n, -0.7),
            ],
            n=5,
        ),
        box(-n - 0.03, -0.95, n + 0.03, -0.68, "accent"),
        box(-w, 0.12, w, 0.55, "light"),
    ]


def butterfly(g: Generator) -> list[Part]:
    a, b = g.uniform(0.75, 0.95), g.uniform(0.5, 0.7)
    parts = []
    for s in (-1, 1):
        parts += [
            smooth(
                [(s * 0.06, -0.1), (s * 0.4, -0.75), (s * a, -0.7), (s * 0.8, -0.1), (s * 0.3, 0.1)]
            ),
            smooth(
                [
                    (s * 0.06, 0.05),
                    (s * 0.6, 0.08),
                    (s * b, 0.55),
                    (s * 0.35, 0.8),
                    (s * 0.12, 0.4),
                ],
                "accent",
            ),
            ellipse(s * 0.58, -0.42, 0.14, 0.14, "light"),
            smooth([(0, -0.45), (s * 0.12, -0.75), (s * 0.28, -0.9)], "dark", False, 0.05),
        ]
    return [*parts, ellipse(0, 0.05, 0.09, 0.55, "dark")]


def candle(g: Generator) -> list[Part]:
    w = g.uniform(0.2, 0.28)
    top = g.uniform(-0.3, -0.15)
    return [
        polygon([(-0.62, 0.7), (0.62, 0.7), (0.45, 0.92), (-0.45, 0.92)], "dark"),
        box(-w, top, w, 0.72),
        stroke([(0, top), (0, top - 0.16)], "dark", 0.06),
        smooth([(0, top - 0.72), (0.17, top - 0.3), (0, top - 0.1), (-0.17, top - 0.3)], "accent"),
    ]


def car(g: Generator) -> list[Part]:
    h = g.uniform(-0.55, -0.42)
    return [
        polygon([(-0.5, -0.02), (-0.32, h), (0.28, h), (0.55, -0.02)]),
        polygon([(-0.38, -0.05), (-0.26, h + 0.1), (-0.04, h + 0.1), (-0.04, -0.05)], "light"),
        polygon([(0.06, -0.05), (0.06, h + 0.1), (0.24, h + 0.1), (0.4, -0.05)], "light"),
        smooth(
            [(-0.95, 0.0), (-0.3, -0.07), (0.6, -0.05), (0.97, 0.1), (0.97, 0.38), (-0.97, 0.38)],
            n=5,
        ),
        *[ellipse(x, 0.4, 0.24, 0.24, "dark") for x in (-0.52, 0.52)],
        *[ellipse(x, 0.4, 0.1, 0.1, "light") for x in (-0.52, 0.52)],
    ]


def castle(g: Generator) -> list[Part]:
    t = g.uniform(-0.55, -0.4)

    def tower(x0, x1, top):
        third = (x1 - x0) / 5
        teeth = [
            box(x0 + 2 * k * third, top - 0.16, x0 + (2 * k + 1) * third, top) for k in range(3)
        ]
        return [box(x0, top, x1, 0.85), *teeth]

    return [
        *tower(-0.45, 0.45, -0.05),
        *tower(-0.9, -0.4, t),
        *tower(0.4, 0.9, t),
        polygon(
            np.concatenate(
                [ellipse_points(0, 0.5, 0.17, 0.25, 180, 360), [(0.17, 0.85), (-0.17, 0.85)]]
            ),
            "dark",
        ),
        box(-0.7, -0.1, -0.58, 0.15, "dark"),
        box(0.58, -0.1, 0.7, 0.15, "dark"),
    ]


def cat(g: Generator) -> list[Part]:
    w = g.uniform(0.68, 0.8)
    whiskers = [
        stroke([(s * 0.25, 0.3 + d), (s * 0.95, 0.2 + 2.2 * d)], "dark", 0.035)
        for s in (-1, 1)
        for d in (0.0, 0.1)
    ]
    return [
        polygon([(-w, -0.05), (-0.72, -0.9), (-0.2, -0.42)]),
        polygon([(w, -0.05), (0.72, -0.9), (0.2, -0.42)]),
        polygon([(-0.6, -0.3), (-0.64, -0.7), (-0.36, -0.42)], "accent"),
        polygon([(0.6, -0.3), (0.64, -0.7), (0.36, -0.42)], "accent"),
        ellipse(0, 0.15, w, 0.65),
        *[ellipse(s * 0.3, 0.02, 0.12, 0.15, "light") for s in (-1, 1)],
        *[ellipse(s * 0.3, 0.03, 0.05, 0.12, "dark") for s in (-1, 1)],
        polygon([(-0.09, 0.24), (0.09, 0.24), (0, 0.35)], "dark"),
        *whiskers,
    ]


def clock(g: Generator) -> list[Part]:
    hour, minute = g.uniform(0, 360, 2)
    hands = [
        stroke([(0, 0), (r * np.cos(np.deg2rad(a)), r * np.sin(np.deg2rad(a)))], "dark", w)
        for a, r, w in ((hour, 0.4, 0.11), (minute, 0.6, 0.07))
    ]
    ticks = [
        stroke(np.array([[0.62, 0.0], [0.72, 0.0]]) @ turn(a).T, "dark", 0.06)
        for a in range(0, 360, 30)
    ]
    return [ellipse(0, 0, 0.92), ellipse(0, 0, 0.76, role="light"), *ticks, *hands]


def cloud(g: Generator) -> list[Part]:
    r = g.uniform(0.85, 1.1, 4)
    return [
        ellipse(-0.52, 0.15, 0.42 * r[0], 0.36 * r[0]),
        ellipse(0.5, 0.15, 0.44 * r[1], 0.38 * r[1]),
        ellipse(-0.18, -0.18, 0.42 * r[2]),
        ellipse(0.26, -0.1, 0.36 * r[3]),
        smooth([(-0.85, 0.25), (0.85, 0.25), (0.8, 0.5), (-0.8, 0.5)]),
    ]


def crown(g: Generator) -> list[Part]:
    tips = [(-0.92, -0.42), (-0.47, -0.58), (0, -0.72), (0.47, -0.58), (0.92, -0.42)]
    v = g.uniform(-0.1, 0.15)
    valley = [(-0.62, v), (-0.25, v), (0.25, v), (0.62, v)]
    top = [p for pair in zip(tips, [*valley, None], strict=True) for p in pair if p is not None]
    return [
        polygon([(-0.75, 0.6), *top, (0.75, 0.6)]),
        box(-0.75, 0.42, 0.75, 0.66, "accent"),
        *[ellipse(x, y, 0.1, role="light") for x, y in tips],
        *[ellipse(x, 0.54, 0.07, role="dark") for x in (-0.45, 0, 0.45)],
    ]


def cup(g: Generator) -> list[Part]:
    taper = g.uniform(0.0, 0.18)
    steam = [
        smooth([(x, -0.5), (x + 0.08, -0.64), (x - 0.08, -0.78), (x, -0.92)], "light", False, 0.06)
        for x in (-0.3, 0.0, 0.3)
    ]
    return [
        arc(0.55, 0.1, 0.34, 0.32, -90, 110, "body", 0.13),
        polygon([(-0.65, -0.35), (0.6, -0.35), (0.6 - taper, 0.75), (-0.65 + taper, 0.75)]),
        ellipse(-0.025, -0.35, 0.62, 0.12, "dark"),
        *steam,
    ]


def envelope(g: Generator) -> list[Part]:
    fold = g.uniform(0.0, 0.22)
    return [
        box(-0.95, -0.6, 0.95, 0.62),
        stroke([(-0.95, 0.62), (-0.2, fold - 0.02)], "dark", 0.06),
        stroke([(0.95, 0.62), (0.2, fold - 0.02)], "dark", 0.06),
        polygon([(-0.95, -0.6), (0.95, -0.6), (0, fold + 0.08)], "light"),
        stroke([(-0.95, -0.6), (0, fold + 0.08), (0.95, -0.6)], "dark", 0.06),
        ellipse(0, fold, 0.13, role="accent"),
    ]


def fish(g: Generator) -> list[Part]:
    h = g.uniform(0.38, 0.52)
    return [
        polygon([(0.45, 0), (0.98, -0.45), (0.84, 0), (0.98, 0.45)], "accent"),
        polygon([(-0.2, -h * 0.8), (0.15, -h - 0.26), (0.32, -h * 0.6)], "accent"),
        smooth([(-0.95, 0.0), (-0.5, -h), (0.1, -h), (0.62, 0), (0.1, h), (-0.5, h)]),
        arc(-0.68, 0, 0.32, 0.42, -50, 50, "dark", 0.05),
        ellipse(-0.64, -0.12, 0.1, role="light"),
        ellipse(-0.66, -0.12, 0.05, role="dark"),
    ]


def flag(g: Generator) -> list[Part]:
    w = g.uniform(0.06, 0.16)
    top = [(-0.55, -0.85), (-0.05, -0.85 - w), (0.45, -0.85 + w), (0.92, -0.85)]
    low = [(x, y + 0.85) for x, y in top]
    band_top = [(x, y + 0.29) for x, y in top]
    band_low = [(x, y + 0.56) for x, y in top]
    return [
        polygon([*top, *low[::-1]]),
        polygon([*band_top, *band_low[::-1]], "light"),
        stroke([(-0.6, -0.95), (-0.6, 0.98)], "dark", 0.12),
    ]


def flower(g: Generator) -> list[Part]:
    n = int(g.integers(5, 8))
    petals = [
        ellipse(0.34 * np.cos(a), -0.38 + 0.34 * np.sin(a), 0.23)
        for a in np.linspace(0, 2 * np.pi, n, endpoint=False)
    ]
    return [
        smooth([(0, -0.2), (0.08, 0.3), (0, 0.98)], "dark", False, 0.1),
        smooth([(0.03, 0.62), (0.3, 0.3), (0.55, 0.32), (0.3, 0.6)], "dark"),
        smooth([(0.0, 0.8), (-0.3, 0.5), (-0.55, 0.5), (-0.3, 0.78)], "dark"),
        *petals,
        ellipse(0, -0.38, 0.2, role="accent"),
    ]


def guitar(g: Generator) -> list[Part]:
    w = g.uniform(0.42, 0.52)
    hull = [(0.2, -0.12), (0.32, 0.08), (0.25, 0.3), (w, 0.62), (0.22, 0.95)]
    return [
        box(-0.07, -0.85, 0.07, 0.1, "dark"),
        box(-0.14, -0.98, 0.14, -0.78, "accent"),
        smooth([*hull, *[(-x, y) for x, y in hull[::-1]]]),
        ellipse(0, 0.3, 0.14, role="dark"),
        box(-0.18, 0.65, 0.18, 0.73, "dark"),
        stroke([(0, -0.8), (0, 0.68)], "light", 0.035),
    ]


def hammer(g: Generator) -> list[Part]:
    h = g.uniform(0.3, 0.4)
    return [
        box(-0.1, -0.5, 0.1, 0.97, "accent"),
        polygon([(-0.6, -0.85), (0.3, -0.85), (0.72, -0.6), (0.3, -0.85 + h), (-0.6, -0.85 + h)]),
        box(-0.72, -0.9, -0.5, -0.8 + h, "dark"),
    ]


def heart(g: Generator) -> list[Part]:
    w = g.uniform(0.85, 1.0)
    t = np.linspace(0, 2 * np.pi, 50)
    x = w * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 17
    return [Part(np.stack([x, y], 1), "body"), ellipse(-0.45 * w, -0.38, 0.15, 0.12, "light")]


def house(g: Generator) -> list[Part]:
    peak = g.uniform(-0.95, -0.78)
    return [
        box(0.35, -0.85, 0.55, -0.3, "dark"),
        box(-0.7, -0.15, 0.7, 0.85),
        polygon([(-0.92, -0.12), (0, peak), (0.92, -0.12)], "accent"),
        box(-0.14, 0.3, 0.18, 0.85, "dark"),
        box(-0.55, 0.08, -0.28, 0.36, "light"),
        box(0.32, 0.08, 0.58, 0.36, "light"),
    ]


def key(g: Generator) -> list[Part]:
    teeth = g.uniform(0.18, 0.32, 3)
    return [
        arc(-0.58, 0, 0.28, 0.28, 0, 360, "body", 0.18),
        box(-0.3, -0.08, 0.95, 0.08),
        *[box(x, 0.05, x + 0.12, 0.08 + t) for x, t in zip((0.4, 0.6, 0.82), teeth, strict=True)],
    ]


def kite(g: Generator) -> list[Part]:
    m = g.uniform(-0.4, -0.2)
    tail = [(0, 0.5), (0.2, 0.68), (-0.05, 0.84), (0.18, 1.0)]
    return [
        smooth(tail, "dark", False, 0.05),
        polygon([(0, -0.98), (0.58, m), (0, 0.5), (-0.58, m)]),
        polygon([(0, -0.98), (0.58, m), (0, m)], "accent"),
        polygon([(0, 0.5), (-0.58, m), (0, m)], "accent"),
        *[
            polygon(
                [
                    (x - 0.12, y - 0.07),
                    (x - 0.12, y + 0.07),
                    (x + 0.12, y - 0.07),
                    (x + 0.12, y + 0.07),
                ],
                "light",
            )
            for x, y in tail[1:3]
        ],
    ]


def ladder(g: Generator) -> list[Part]:
    top, low = g.uniform(0.28, 0.36), g.uniform(0.38, 0.5)
    ys = np.linspace(-0.75, 0.75, 6)
    rungs = []
    for y in ys:
        half = top + (low - top) * (y + 0.98) / 1.96
        rungs.append(stroke([(-half, y), (half, y)], "accent", 0.1))
    rails = [stroke([(s * top, -0.98), (s * low, 0.98)], "body", 0.14) for s in (-1, 1)]
    return [*rungs, *rails]


def lamp(g: Generator) -> list[Part]:
    w = g.uniform(0.6, 0.75)
    return [
        box(-0.06, -0.05, 0.06, 0.8, "dark"),
        smooth([(-0.42, 0.95), (-0.3, 0.76), (0.3, 0.76), (0.42, 0.95)], "dark", n=4),
        polygon([(-0.3, -0.9), (0.3, -0.9), (w, -0.05), (-w, -0.05)]),
        box(-w, -0.13, w, -0.03, "light"),
    ]


def leaf(g: Generator) -> list[Part]:
    w = g.uniform(0.42, 0.58)
    veins = []
    for y in (-0.35, -0.05, 0.25):
        for s in (-1, 1):
            veins.append(stroke([(0, y + 0.16), (s * w * 0.62, y - 0.1)], "light", 0.045))
    blade = [(0, -0.98), (w * 0.75, -0.5), (w, 0.0), (w * 0.6, 0.45), (0, 0.66)]
    return [
        stroke([(0, 0.5), (0, 1.0)], "dark", 0.09),
        smooth([*blade, *[(-x, y) for x, y in blade[-2:0:-1]]]),
        stroke([(0, -0.8), (0, 0.62)], "light", 0.06),
        *veins,
    ]


def moon(g: Generator) -> list[Part]:
    bite = g.uniform(0.25, 0.42)
    outer = ellipse_points(0, 0, 0.92, 0.92, 60, 300)
    inner = ellipse_points(bite + 0.12, 0, 0.72, 0.8, 295, 65)
    return [
        Part(np.concatenate([outer, inner]), "body"),
        ellipse(-0.62, -0.12, 0.1, role="accent"),
        ellipse(-0.5, 0.32, 0.07, role="accent"),
    ]


def mushroom(g: Generator) -> list[Part]:
    w = g.uniform(0.75, 0.95)
    cap = np.concatenate(
        [ellipse_points(0, 0.05, w, 0.85, 180, 360), [(w * 0.9, 0.14), (-w * 0.9, 0.14)]]
    )
    spots = [(-0.42, -0.25, 0.14), (0.05, -0.5, 0.16), (0.45, -0.18, 0.12)]
    return [
        smooth([(-0.22, 0.05), (0.22, 0.05), (0.3, 0.85), (-0.3, 0.85)], "light", n=5),
        polygon(cap),
        *[ellipse(x * w, y, r, r * 0.85, "light") for x, y, r in spots],
    ]


def rocket(g: Generator) -> list[Part]:
    w = g.uniform(0.26, 0.34)
    return [
        smooth([(-0.16, 0.55), (0, 1.0), (0.16, 0.55)], "light"),
        polygon([(-w, 0.05), (-0.66, 0.68), (-w, 0.55)], "accent"),
        polygon([(w, 0.05), (0.66, 0.68), (w, 0.55)], "accent"),
        smooth([(0, -0.98), (w, -0.35), (w, 0.55), (-w, 0.55), (-w, -0.35)]),
        ellipse(0, -0.25, 0.15, role="light"),
        arc(0, -0.25, 0.15, 0.15, 0, 360, "dark", 0.05),
    ]


def star(g: Generator) -> list[Part]:
    inner = g.uniform(0.36, 0.46)
    return [
        Part(radial(5, 0.98, inner), "body"),
        Part(radial(5, 0.5, inner * 0.5), "accent"),
    ]


def sun(g: Generator) -> list[Part]:
    n = int(g.integers(9, 14))
    rays = [
        polygon(np.array([[0.6, -0.09], [0.98, 0.0], [0.6, 0.09]]) @ turn(a).T, "accent")
        for a in np.linspace(0, 360, n, endpoint=False)
    ]
    return [*rays, ellipse(0, 0, 0.52)]


def tree(g: Generator) -> list[Part]:
    w = g.uniform(0.55, 0.72)
    return [
        box(-0.12, 0.4, 0.12, 0.95, "dark"),
        polygon([(-w, 0.55), (w, 0.55), (0, -0.15)]),
        polygon([(-w * 0.85, 0.15), (w * 0.85, 0.15), (0, -0.5)]),
        polygon([(-w * 0.65, -0.25), (w * 0.65, -0.25), (0, -0.95)]),
    ]


def umbrella(g: Generator) -> list[Part]:
    w = g.uniform(0.8, 0.95)
    dome = ellipse_points(0, 0.05, w, 0.85, 180, 360)
    scallop = np.concatenate(
        [ellipse_points(x * w, 0.05, w / 3, 0.13, 0, -180, 10) for x in (2 / 3, 0, -2 / 3)]
    )
    hook = np.concatenate(
        [[(0, -0.05), (0, 0.72)], ellipse_points(-0.15, 0.75, 0.15, 0.17, 0, 170, 10)]
    )
    return [
        stroke(hook, "dark", 0.09),
        Part(np.concatenate([dome, scallop]), "body"),
        polygon(
            np.concatenate(
                [
                    ellipse_points(0, 0.05, w / 3, 0.85, 180, 360),
                    ellipse_points(0, 0.05, w / 3, 0.13, 0, -180, 10),
                ]
            ),
            "accent",
        ),
        stroke([(0, -0.98), (0, -0.78)], "dark", 0.08),
    ]


def turn(degrees: float) -> np.ndarray:
    """The 2 × 2 matrix of a turn."""
    a = np.deg2rad(degrees)
    return np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])


NOUNS: dict[str, Callable[[Generator], list[Part]]] = {
    f.__name__: f
    for f in (
        anchor,
        apple,
        balloon,
        bell,
        boat,
        book,
        bottle,
        butterfly,
        candle,
        car,
        castle,
        cat,
        clock,
        cloud,
        crown,
        cup,
        envelope,
        fish,
        flag,
        flower,
        guitar,
        hammer,
        heart,
        house,
        key,
        kite,
        ladder,
        lamp,
        leaf,
        moon,
        mushroom,
        rocket,
        star,
        sun,
        tree,
        umbrella,
    )
}


def unknown_names(classes: Iterable[str]) -> list[str]:
    """The class names that the teaching models were not trained on, in their order."""
    known = {name.replace("_", " ").casefold() for name in NOUNS}
    return [name for name in classes if name.replace("_", " ").strip().casefold() not in known]
