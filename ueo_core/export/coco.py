"""COCO-style JSON for classification: one annotation an image, whose box is the whole image.

Source: https://cocodataset.org/#format-data. COCO knows boxes and masks only. A box around the whole
image is what tools that read classes from COCO expect, and pycocotools filters by its area.
"""

from ueo_core.export.predicted_images import TreeExport

FOLDER, FILE = "images", "annotations.json"


def write_coco(export: TreeExport) -> None:
    """Images, and `annotations.json` with images, categories and annotations.

    The unknown have a category of their own, the last one. `score` is COCO's word for the confidence.
    """
    labels = export.batch.labels
    ids = {label: id for id, label in enumerate(labels, start=1)}
    images, annotations = [], []
    for id, (file, copy) in enumerate(export.copied_to(FOLDER), start=1):
        width, height = export.size(file, copy)
        images.append(
            {
                "id": id,
                "file_name": copy.place.removeprefix(f"{FOLDER}/"),
                "width": width,
                "height": height,
                "path": file.path,
            }
        )
        annotations.append(
            {
                "id": id,
                "image_id": id,
                "category_id": ids[file.label],
                "bbox": [0, 0, width, height],
                "area": width * height,
                "iscrowd": 0,
                "score": file.confidence,
                "ood_score": file.score,
                "prediction": file.prediction,
            }
        )
    export.write_json(
        FILE,
        {
            "info": export.batch.about,
            "licenses": [],
            "images": images,
            "annotations": annotations,
            "categories": [{"id": id, "name": name} for name, id in ids.items()],
        },
    )
