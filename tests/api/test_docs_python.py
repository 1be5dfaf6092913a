"""docs/python.md, executed word for word."""

import re
from pathlib import Path

import pytest

import ueo_core as ueo

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"


def blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.long
def test_the_page_runs_from_top_to_bottom():
    names: dict = {}
    found = blocks(PAGE)
    assert len(found) == 8
    for block in found:
        exec(compile(block, str(PAGE), "exec"), names)
    assert names["loss"].item() == pytest.approx(names["loss"].item())
    assert names["scores"]["acc"] > 50 and names["adapted"].change() > 0


def test_the_page_names_every_public_name():
    text = PAGE.read_text(encoding="utf-8")
    missing = [n for n in ueo.__all__ if f"`{n}`" not in text and n != "__version__"]
    assert not missing
