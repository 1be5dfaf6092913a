"""The formats: page, command line, Python and the table in docs/exports.md derive from these rows."""

from ueo_core.export.coco import write_coco
from ueo_core.export.fiftyone import write_fiftyone
from ueo_core.export.imagefolder import write_imagefolder
from ueo_core.export.kinds import Format, ModelFormat, PredictionFormat
from ueo_core.export.label_studio import write_label_studio
from ueo_core.export.onnx_model import onnx_model
from ueo_core.export.open_clip_script import open_clip_script
from ueo_core.export.parquet import parquet
from ueo_core.export.sorted_folders import write_sorted
from ueo_core.export.xmp import BesidePhotos, write_xmp
from ueo_core.inference.adapter_file import ADAPTER_NAME
from ueo_core.utils.errors import UserError

PREDICTIONS: dict[str, PredictionFormat] = {
    "csv": PredictionFormat(
        title="Table (CSV)",
        about="One row per file: path, prediction, confidence, score, and whether it is unknown.",
        files="`predictions.csv`",
        reader="Python's `csv`",
        name="predictions.csv",
        content=lambda batch: batch.predictions.csv(batch.threshold),
    ),
    "folders": PredictionFormat(
        title="Images sorted into class folders",
        about="A folder of copies for each class and one for the unknown, with a table of what is where.",
        files="`CLASS/…`, `unknown/…`, `predictions.csv`",
        reader="Python's `zipfile` and `csv`",
        name="sorted.zip",
        tree=write_sorted,
    ),
    "imagefolder": PredictionFormat(
        title="Hugging Face imagefolder",
        about='A dataset for `datasets.load_dataset("imagefolder", data_dir=…)`, with the predictions as columns.',
        files="`train/…`, `train/metadata.jsonl`",
        reader='`datasets.load_dataset("imagefolder")`',
        name="imagefolder.zip",
        tree=write_imagefolder,
    ),
    "coco": PredictionFormat(
        title="COCO JSON",
        about="For tools that read COCO: one annotation per image with category and score; its box is the whole image.",
        files="`images/…`, `annotations.json`",
        reader="`pycocotools.coco.COCO`",
        name="coco.zip",
        tree=write_coco,
    ),
    "fiftyone": PredictionFormat(
        title="FiftyOne dataset",
        about="To look through predictions, scores and embeddings in FiftyOne; unknown images have a tag.",
        files="`data/…`, `samples.json`, `metadata.json`",
        reader="FiftyOne's own importer of `FiftyOneDataset`",
        name="fiftyone.zip",
        tree=write_fiftyone,
    ),
    "label-studio": PredictionFormat(
        title="Label Studio tasks",
        about="Tasks with the predictions to correct; what Label Studio exports is read back as labels.",
        files="`images/…`, `tasks.json`, `config.xml`",
        reader="`label_studio_sdk`: its `LabelInterface`, and its converter for the way back",
        name="label-studio.zip",
        tree=write_label_studio,
    ),
    "parquet": PredictionFormat(
        title="Table (Parquet)",
        about="The table with its types and the probability of every class; needs the package pyarrow.",
        files="`predictions.parquet`",
        reader="`pyarrow.parquet` and pandas",
        name="predictions.parquet",
        content=parquet,
    ),
    "xmp": PredictionFormat(
        title="Keywords for photo managers (XMP)",
        about="A sidecar `photo.jpg.xmp` for each photo, with its prediction as a keyword in darktable and digiKam.",
        files="`PATH.xmp` for each file",
        reader="exiftool",
        name="xmp.zip",
        tree=write_xmp,
        beside=BesidePhotos,
    ),
}

MODELS: dict[str, ModelFormat] = {
    "adapter": ModelFormat(
        title="Adapter (safetensors)",
        about="The adapted parameters with classes, prompt and settings, to import here or give to `predict`.",
        files="`delta.safetensors`",
        reader="the studio",
        name=ADAPTER_NAME,
        content=lambda adapter_file, name: adapter_file.path.read_bytes(),
    ),
    "script": ModelFormat(
        title="Script for plain open_clip",
        about="Loads the adapter and classifies images without this studio.",
        files="`use_adapter.py`",
        reader="Python with open_clip, and nothing of the studio",
        name="use_adapter.py",
        content=lambda adapter_file, name: open_clip_script(adapter_file, name=name).encode(),
    ),
    "onnx": ModelFormat(
        title="ONNX model",
        about="Image encoder and class texts in one file for ONNX Runtime: pixels in, probabilities and OOD score out.",
        files="`model.onnx`",
        reader="`onnx.checker` and ONNX Runtime, against torch",
        name="model.onnx",
        content=lambda adapter_file, name: onnx_model(adapter_file),
        slow=True,
    ),
}


def prediction_format(name: str) -> PredictionFormat:
    """The format of predictions with a name. UserError that lists the names."""
    if name not in PREDICTIONS:
        raise _unknown(name, list(PREDICTIONS))
    return PREDICTIONS[name]


def model_format(name: str) -> ModelFormat:
    """The format of a model with a name. UserError that lists the names."""
    if name not in MODELS:
        raise _unknown(name, list(MODELS))
    return MODELS[name]


def _unknown(name: str, names: list[str]) -> UserError:
    return UserError(f"Format “{name}”: not known; choose one of {', '.join(names)}.")


def as_markdown() -> str:
    """The table in docs/exports.md."""
    rows: list[tuple[str, Format]] = [*PREDICTIONS.items(), *MODELS.items()]
    lines = ["| format | what for | files | read back by |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {f.about} | {f.files} | {f.reader} |" for name, f in rows]
    return "\n".join(lines) + "\n"
