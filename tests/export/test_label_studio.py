"""Label Studio: tasks that its own rules accept, and the way back as labels."""

import json
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from tests.export.conftest import CLASSES, LABELS, NAMES
from ueo_core.data.labels import table_labels
from ueo_core.data.store import Store
from ueo_core.export.formats import PREDICTIONS
from ueo_core.utils.paths import store_root

LOCAL = "/data/local-files/?d="


@pytest.fixture
def written(batch, tmp_path):
    PREDICTIONS["label-studio"].write(tmp_path / "my tasks 1.2", batch)
    return tmp_path / "my tasks 1.2"


def tasks_of(folder) -> list[dict]:
    return json.loads((folder / "tasks.json").read_text(encoding="utf-8"))


def test_every_image_is_a_local_file_and_every_choice_is_in_the_config(written, batch):
    config = ElementTree.parse(written / "config.xml")
    choices = [c.get("value") for c in config.iter("Choice")]
    assert choices == [*CLASSES, "unknown (2)"]
    for file, task in zip(batch, tasks_of(written), strict=True):
        url = task["data"]["image"]
        assert url.startswith(LOCAL) and not set(url[len(LOCAL) :]) & set(" &<ö")
        assert (written.parent / unquote(url[len(LOCAL) :])).is_file()
        (said,) = task["predictions"]
        assert said["score"] == file.confidence and said["model_version"] == 'a "run"'
        assert said["result"][0]["value"] == {"choices": [LABELS[file.path]]}
        assert task["data"]["ood_score"] == file.score


def test_an_archive_is_unpacked_to_a_folder_of_its_name(batch, tmp_path):
    PREDICTIONS["label-studio"].write(tmp_path / "x.zip", batch, name="label-studio")
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        url = json.loads(archive.read("tasks.json"))[0]["data"]["image"]
        assert unquote(url).removeprefix(f"{LOCAL}label-studio/") in archive.namelist()


def test_label_studio_accepts_config_and_predictions(written):
    interface = pytest.importorskip(
        "label_studio_sdk.label_interface", reason="label_studio_sdk is not installed"
    ).LabelInterface((written / "config.xml").read_text(encoding="utf-8"))
    interface.validate()
    for task in tasks_of(written):
        assert interface.validate_task({"data": task["data"]})
        assert interface.validate_prediction(task["predictions"][0], return_errors=True) == []


def test_what_people_chose_comes_back_as_labels(written, photos, tmp_path):
    """Every prediction accepted, as Label Studio exports it, but one corrected and one left out."""
    tasks = tasks_of(written)
    for task in tasks:
        result = task.pop("predictions")[0]["result"]
        task["annotations"] = [{"was_cancelled": False, "result": result}]
    tasks[0]["annotations"][0]["result"][0]["value"]["choices"] = [CLASSES[2]]
    tasks[4]["annotations"] = []
    (tmp_path / "export.json").write_text(json.dumps(tasks), encoding="utf-8")
    store = Store(store_root(), 32)
    found = table_labels(store.open(store.ingest(photos).set_id), tmp_path / "export.json")
    own = dict(zip([n for n in NAMES if n != "gone.png"], found.labels, strict=True))
    assert own == {
        "a/test_1.png": CLASSES[2],
        "b/test_1.png": CLASSES[1],
        "cöpy & <1>.png": "unknown (2)",
        "turned.jpg": None,
    }


def test_what_the_converter_writes_comes_back_as_labels(written, photos, tmp_path):
    converter = pytest.importorskip(
        "label_studio_sdk.converter", reason="label_studio_sdk is not installed"
    )
    tasks = tasks_of(written)
    for number, task in enumerate(tasks):
        result = task.pop("predictions")[0]["result"]
        task |= {"id": number, "annotations": [{"id": number, "result": result}]}
    (tmp_path / "all.json").write_text(json.dumps(tasks), encoding="utf-8")
    made = converter.Converter(str(written / "config.xml"), str(tmp_path))
    store = Store(store_root(), 32)
    images = store.open(store.ingest(photos).set_id)
    expected = [LABELS[name] for name in images.names]
    made.convert_to_json_min(str(tmp_path / "all.json"), str(tmp_path / "min"), is_dir=False)
    assert table_labels(images, tmp_path / "min" / "result.json").labels == expected
    made.convert_to_csv(
        str(tmp_path / "all.json"), str(tmp_path / "csv"), is_dir=False, sep=",", header=True
    )
    assert table_labels(images, next((tmp_path / "csv").glob("*.csv"))).labels == expected
