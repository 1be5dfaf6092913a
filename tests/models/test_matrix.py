"""docs/models.md says of each of open_clip's models what a test finds."""

import pytest

from tests.helpers.model_matrix import DOCS, as_markdown, matrix


@pytest.mark.long
def test_the_table_of_models():
    pytest.importorskip("transformers")
    rows = matrix()
    assert [(r.name, r.reason) for r in rows if r.reason] == []
    assert len(rows) >= 144
    found = {r.name: r for r in rows}
    assert found["RN50-quickgelu"][1:] == (55, 53_248, "4 × 512", "shared", "")
    assert found["ViT-B-16-quickgelu"][1:] == (26, 39_936, "4 × 512", "shared", "")
    assert DOCS.read_text(encoding="utf-8") == as_markdown(rows), (
        "run python -m tests.helpers.model_matrix"
    )
