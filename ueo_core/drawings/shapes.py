"""Outlines from which the drawn things are put together.

Coordinates are x to the right and y down, a thing fills about [-1, 1]². Every
part is a polygon or a polyline, so that one affine map and one style serve all.
"""

from dataclasses import dataclass

import numpy as np

ROLES = ("body", "accent", "dark", "light")


@dataclass(frozen=True)
class Part:
    """One outline of a thing.

    points: (n, 2) float64; role: which of the thing's colors it takes;
    closed: a filled polygon, else an open stroke; width: stroke width as a share
    of the thing's half size, for open strokes only.
    """

    points: np.ndarray
    role: str
    closed: bool = True
    width: float = 0.08


def polygon(points, role: str = "body") -> Part:
    """A filled polygon through the given corners."""
    return Part(np.asarray(points, float), role)


def stroke(points, role: str = "dark", width: float = 0.08) -> Part:
    """An open line through the given points."""
    return Part(np.asarray(points, float), role, closed=False, width=width)


def ellipse_points(cx, cy, rx, ry=None, start=0.0, stop=360.0, n=36) -> np.ndarray:
    """Points of an elliptic arc; angles in degrees, 0 = right, growing clockwise. → (n, 2)"""
    angle = np.deg2rad(np.linspace(start, stop, n))
    return np.stack([cx + rx * np.cos(angle), cy + (ry or rx) * np.sin(angle)], 1)


def ellipse(cx, cy, rx, ry=None, role: str = "body", start=0.0, stop=360.0) -> Part:
    """A filled ellipse, or a filled sector's chord segment of it."""
    return Part(ellipse_points(cx, cy, rx, ry, start, stop), role)


def arc(cx, cy, rx, ry=None, start=0.0, stop=360.0, role: str = "dark", width=0.08) -> Part:
    """An open elliptic arc."""
    return stroke(ellipse_points(cx, cy, rx, ry, start, stop), role, width)


def box(x0, y0, x1, y1, role: str = "body") -> Part:
    """A filled upright rectangle."""
    return polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], role)


def smooth(
    points, role: str = "body", closed: bool = True, width: float = 0.08, n: int = 8
) -> Part:
    """A Catmull-Rom curve through the given points, filled when closed."""
    knots = np.asarray(points, float)
    if closed:
        padded = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        padded = np.concatenate([knots[:1], knots, knots[-1:]])
    t = np.linspace(0, 1, n, endpoint=False)[:, None]
    curve = []
    for i in range(len(padded) - 3):
        a, b, c, d = padded[i : i + 4]
        curve.append(
            0.5
            * (
                2 * b
                + (c - a) * t
                + (2 * a - 5 * b + 4 * c - d) * t**2
                + (3 * b - a - 3 * c + d) * t**3
            )
        )
    if not closed:
        curve.append(knots[-1:])
    return Part(np.concatenate(curve), role, closed, width)


def radial(n: int, outer: float, inner: float, turn: float = -90.0, cx=0.0, cy=0.0) -> np.ndarray:
    """Corners of a star with n points. → (2n, 2)"""
    angle = np.deg2rad(turn + np.arange(2 * n) * 180.0 / n)
    radius = np.where(np.arange(2 * n) % 2 == 0, outer, inner)
    return np.stack([cx + radius * np.cos(angle), cy + radius * np.sin(angle)], 1)
