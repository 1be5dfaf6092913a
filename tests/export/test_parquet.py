"""Parquet, read by pyarrow and pandas."""

import io
import json
import sys

import numpy as np
import pytest
from scipy.special import softmax

from tests.export.conftest import CLASSES, COSINES, FILES
from ueo_core.export.formats import PREDICTIONS
from ueo_core.inference.predictions import COLUMNS
from ueo_core.utils.errors import UserError


def test_the_table_has_types_and_the_digits_of_the_csv(batch, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="the package pyarrow is not installed")
    PREDICTIONS["parquet"].write(tmp_path / "p.parquet", batch)
    table = parquet.read_table(tmp_path / "p.parquet")
    kinds = {
        name: str(kind) for name, kind in zip(table.column_names, table.schema.types, strict=True)
    }
    assert kinds == {
        **dict(zip(COLUMNS, ("string", "string", "double", "double", "bool"), strict=True)),
        "probabilities": "fixed_size_list<element: float>[3]",
    }
    assert table["path"].to_pylist() == FILES
    for row, file in zip(table.to_pylist(), batch, strict=True):
        assert tuple(row[name] for name in COLUMNS) == (file.path, *file[2:6])
        proba = softmax(100 * COSINES[file.image].astype(float))
        assert np.allclose(row["probabilities"], proba, atol=1e-6)
    about = json.loads(table.schema.metadata[b"ueo_studio"])
    assert about["classes"] == CLASSES and about["threshold"] == batch.threshold


def test_pandas_reads_it(batch):
    pandas = pytest.importorskip("pandas", reason="the package pandas is not installed")
    frame = pandas.read_parquet(io.BytesIO(PREDICTIONS["parquet"].content(batch)))
    assert frame["unknown"].sum() == 2 and frame["unknown"].dtype == bool


def test_without_pyarrow_there_is_one_sentence(batch, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match="needs the package pyarrow.*pip install pyarrow"):
        PREDICTIONS["parquet"].write(tmp_path / "p.parquet", batch)
    assert not (tmp_path / "p.parquet").exists()
