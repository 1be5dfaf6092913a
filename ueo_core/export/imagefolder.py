"""Hugging Face's `imagefolder`: images beside a `metadata.jsonl` with one line for each.

Source: https://huggingface.co/docs/datasets/image_dataset#imagefolder. `datasets` divides files into
splits by words in their names ("test", "val"); only a folder named after a split, of which there is
one here, keeps a photo called `test_1.jpg` from making a split of its own.
"""

from ueo_core.export.predicted_images import TreeExport, as_json

FOLDER = "train"


def write_imagefolder(export: TreeExport) -> None:
    """A folder of images, and their predictions with the columns of the table of predictions."""
    lines = [
        as_json(
            {
                "file_name": copy.place.removeprefix(f"{FOLDER}/"),
                "path": file.path,
                "prediction": file.prediction,
                "confidence": file.confidence,
                "score": file.score,
                "unknown": file.unknown,
            }
        )
        for file, copy in export.copied_to(FOLDER)
    ]
    export.write(f"{FOLDER}/metadata.jsonl", "".join(f"{line}\n" for line in lines).encode("utf-8"))
