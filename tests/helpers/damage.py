"""Ways in which a file can be damaged: those that a crash or a person leaves, and random ones."""

import json
import random
from collections.abc import Callable
from pathlib import Path

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "flipped": lambda data: bytes(b ^ 0x5A for b in data[:40]) + data[40:],
    "list": lambda data: b"[]",
    "object": lambda data: b"{}",
    "not utf-8": lambda data: data[: len(data) // 2] + b"\xff\xfe" + data[len(data) // 2 :],
    "deep": lambda data: b"[" * 100_000,
}
REMOVED = "removed"
_OTHERS = (None, True, -1, 10**30, 0.5, "x", "", [], {}, [None], ["x"], [[]], {"x": 1})


def damage(path: Path, how: str) -> None:
    """Damage a file in one of `DAMAGES`, or remove it."""
    if how == REMOVED:
        path.unlink()
    else:
        path.write_bytes(DAMAGES[how](path.read_bytes()))


def damage_randomly(path: Path, g: random.Random) -> str:
    """Damage a file in a random way and place. → the way, to name it in a failure"""
    data, name = path.read_bytes(), path.name
    ways = [*DAMAGES, REMOVED, "one bit", "zeros", "cut anywhere"]
    ways += ["retyped"] * 6 if name.endswith((".json", ".jsonl")) else []
    way = g.choice(ways)
    if way in DAMAGES or way == REMOVED or not data:
        damage(path, way if way in (*DAMAGES, REMOVED) else REMOVED)
    elif way == "retyped":
        path.write_bytes(_retyped(data, name.endswith("l"), g))
    else:
        at, changed = g.randrange(len(data)), bytearray(data)
        if way == "one bit":
            changed[at] ^= 1 << g.randrange(8)
        elif way == "zeros":  # what a power cut leaves of a block
            changed[at : at + 512] = bytes(len(changed[at : at + 512]))
        else:
            del changed[at:]
        path.write_bytes(changed)
    return way


def _retyped(data: bytes, lines: bool, g: random.Random) -> bytes:
    """Valid JSON in which one value has another type or an absurd size."""
    if lines:
        rows = data.splitlines(keepends=True)
        at = g.randrange(len(rows))
        rows[at] = _retyped(rows[at], False, g) + b"\n"
        return b"".join(rows)
    tree = json.loads(data)
    places = list(_places(tree))
    if not places:
        return json.dumps(g.choice(_OTHERS)).encode()
    holder, key = g.choice(places)
    holder[key] = g.choice(_OTHERS)
    return json.dumps(tree, ensure_ascii=False).encode()


def _places(tree):
    """(holder, key) of every value in a JSON tree."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(inner):
        yield tree, key
        if isinstance(value, dict | list):
            yield from _places(value)
