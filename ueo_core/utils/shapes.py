"""The shape of data that was read: a damaged or foreign file is recognized where it is read."""

from dataclasses import dataclass
from typing import Any

NUMBER = (int, float)
NAME = (str, type(None))


@dataclass(frozen=True)
class Maybe:
    """This shape, or null; as the value of a key, the key may be missing."""

    shape: Any


def check_shape(data: Any, shape: Any, name: str = "") -> Any:
    """The same data, if it has this shape, else a ValueError that names the part.

    shape: a type, a tuple of types, `Maybe`, [the shape of every item], or {key: shape of its value}.
    Further keys of an object are let through. A bool is no number.
    """
    if isinstance(shape, Maybe):
        return data if data is None else check_shape(data, shape.shape, name)
    if isinstance(shape, dict):
        if not isinstance(data, dict):
            raise ValueError(f"“{name}” is no object" if name else "it holds no object")
        for key, inner in shape.items():
            check_shape(data.get(key), inner, key)
    elif isinstance(shape, list):
        if not isinstance(data, list):
            raise ValueError(f"“{name}” is no list" if name else "it holds no list")
        for item in data:
            check_shape(item, shape[0], name)
    elif not isinstance(data, shape) or (isinstance(data, bool) and shape is not bool):
        raise ValueError(f"“{name}” is missing or has another type")
    return data


def has_shape(data: Any, shape: Any) -> bool:
    """Whether the data has this shape, see `check_shape`."""
    try:
        check_shape(data, shape)
    except ValueError:
        return False
    return True
