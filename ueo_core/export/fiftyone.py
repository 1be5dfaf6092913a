"""A dataset of FiftyOne: images, and samples with prediction, logits, OOD score and embedding.

Source: https://docs.voxel51.com/user_guide/import_datasets.html#fiftyonedataset. Without a `version`
in `metadata.json`, samples are read as plain JSON and fields are added as they come; with one, the file
would have to be a copy of that version's database.
"""

import base64
import io
import zlib

import numpy as np
from numpy.typing import ArrayLike

from ueo_core.export.predicted_images import TreeExport

FOLDER = "data"


def write_fiftyone(export: TreeExport) -> None:
    """`data/`, `samples.json` and `metadata.json`. Unknown images have that label, and that tag."""
    batch = export.batch
    cosines, scale = batch.predictions.cosines, batch.predictions.logit_scale
    features = batch.features
    samples = [
        {
            "filepath": copy.place,
            "tags": ["unknown"] if file.unknown else [],
            "path": file.path,
            "prediction": {
                "_cls": "Classification",
                "tags": [],
                "label": file.label,
                "confidence": file.confidence,
                "logits": _vector(scale * cosines[file.image].astype(np.float64)),
                "closest": file.prediction,
            },
            "ood_score": file.score,
            **({} if features is None else {"embedding": _vector(features[file.image])}),
        }
        for file, copy in export.copied_to(FOLDER)
    ]
    export.write_json("samples.json", {"samples": samples})
    export.write_json("metadata.json", {"media_type": "image", "info": batch.about}, indent=2)


def _vector(values: ArrayLike) -> dict:
    """An array as FiftyOne keeps one: the bytes of a .npy file, compressed, in BSON's JSON."""
    file = io.BytesIO()
    np.save(file, np.asarray(values), allow_pickle=False)
    text = base64.b64encode(zlib.compress(file.getvalue())).decode("ascii")
    return {"$binary": {"base64": text, "subType": "00"}}
