"""Label Studio: tasks with predictions to correct, and the labeling config that shows them.

Sources: https://labelstud.io/guide/predictions and https://labelstud.io/guide/storage (local files).
Its export is read back as labels by `data.labels`: each task keeps the path of its image.
"""

from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from ueo_core.data.label_studio import CHOICE, PATH
from ueo_core.export.predicted_images import TreeExport

FOLDER = "images"
IMAGE = "image"  # the tag of the picture in the config; that of the choice is read back by its name


def write_label_studio(export: TreeExport) -> None:
    """Images, `tasks.json` to import, and `config.xml` for the labeling interface.

    Images are addressed as local files, `/data/local-files/?d=NAME/images/…`: NAME is this folder's
    name, below the document root that Label Studio is started with.
    """
    tasks = [
        {
            "data": {
                IMAGE: f"/data/local-files/?d={quote(f'{export.name}/{copy.place}')}",
                PATH: file.path,
                "closest": file.prediction,
                "ood_score": file.score,
            },
            "predictions": [
                {
                    "model_version": export.batch.title,
                    "score": file.confidence,
                    "result": [
                        {
                            "from_name": CHOICE,
                            "to_name": IMAGE,
                            "type": "choices",
                            "value": {"choices": [file.label]},
                        }
                    ],
                }
            ],
        }
        for file, copy in export.copied_to(FOLDER)
    ]
    export.write_json("tasks.json", tasks)
    export.write("config.xml", _config(export.batch.labels).encode("utf-8"))


def _config(labels: list[str]) -> str:
    choices = "\n".join(f"    <Choice value={quoteattr(label)}/>" for label in labels)
    return f"""<View>
  <Image name="{IMAGE}" value="${IMAGE}"/>
  <Choices name="{CHOICE}" toName="{IMAGE}" choice="single-radio" showInline="true">
{choices}
  </Choices>
</View>
"""
