"""The table of predictions as Parquet, with the probability of every class."""

import io
import json

import numpy as np
from scipy.special import softmax

from ueo_core.export.predicted_images import PredictedImages
from ueo_core.inference.predictions import COLUMNS
from ueo_core.utils.arrow import arrow
from ueo_core.utils.rows import by_rows


def parquet(batch: PredictedImages) -> bytes:
    """One row per file: the columns of the CSV with their types, and `probabilities` (C,) float32.

    The schema's metadata names classes, threshold and model, as JSON under `ueo_studio`. UserError
    where pyarrow is not installed.
    """
    pa, pq = arrow("Format parquet")
    predictions = batch.predictions
    scale = predictions.logit_scale
    proba = by_rows(
        lambda rows: softmax(scale * rows.astype(np.float64), axis=1).astype(np.float32),
        predictions.cosines,
    )
    images = [file.image for file in batch]
    rows = [(f.path, f.prediction, f.confidence, f.score, f.unknown) for f in batch]
    kinds = (pa.string(), pa.string(), pa.float64(), pa.float64(), pa.bool_())
    columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    table = {
        name: pa.array(values, kind)
        for name, values, kind in zip(COLUMNS, columns, kinds, strict=True)
    }
    flat = pa.array(proba[images].ravel())
    table["probabilities"] = pa.FixedSizeListArray.from_arrays(flat, len(predictions.classes))
    about = {"ueo_studio": json.dumps(batch.about, ensure_ascii=False)}
    file = io.BytesIO()
    pq.write_table(pa.table(table).replace_schema_metadata(about), file)
    return file.getvalue()
