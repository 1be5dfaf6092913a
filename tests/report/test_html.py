"""The report: its numbers are those of the metrics, nothing is loaded, every name is escaped."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from jinja2 import UndefinedError
from PIL import Image

from tests.helpers.run_folders import CLASSES, SCALE, THRESHOLD, cosines_of, labels_of, write_run
from ueo_core.analysis.threshold_effect import threshold_effect
from ueo_core.cli.main import main
from ueo_core.config.settings import Settings
from ueo_core.data.labels import folder_labels
from ueo_core.data.store import Store
from ueo_core.evaluation.metrics import evaluate, truth_from_labels
from ueo_core.evaluation.ood_scores import mcm
from ueo_core.report.html import html_report, templates, write_report
from ueo_core.runs.create import create_run, reference
from ueo_core.runs.worker import execute
from ueo_core.utils.errors import UserError

NAMES = ("acc", "auc", "hm", "fpr95", "aupr", "ece")


def shown(html: str) -> dict[str, list[str]]:
    """The metrics' table: name → its cells."""
    rows = re.findall(r'<tr data-metric="(\w+)">(.*?)</tr>', html)
    return {name: re.findall(r"<td[^>]*>(.*?)</td>", row) for name, row in rows}


class Reader(HTMLParser):
    """Every tag with its attributes; an end tag must match the tag that is open."""

    VOID = {"meta", "img", "path", "rect", "circle", "polyline"}

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.words = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return reader


def test_its_numbers_are_those_of_the_metrics():
    html = html_report(write_run("r"))
    truth = truth_from_labels(labels_of(80), CLASSES)
    sides = [
        evaluate(cosines_of(labels_of(80), skill, seed), truth, CLASSES, SCALE)
        for seed, skill in enumerate((0.03, 0.12))
    ]
    cells = shown(html)
    assert list(cells) == list(NAMES)
    for name in NAMES:
        before, after = (m[name] for m in sides)
        assert cells[name][:3] == [f"{before:.1f} %", f"{after:.1f} %", f"{after - before:+.1f}"]
    cosines = cosines_of(labels_of(80), 0.12, 1)
    effect = threshold_effect(mcm(cosines), THRESHOLD, cosines.argmax(1), truth)
    assert 0 < effect.accepted < 80
    row = re.search(r"Known accepted \(TPR\), of 60</th>.*?</tr>", html).group(0)
    assert f"<td>{effect.known_accepted} ({effect.tpr:.1f} %)</td></tr>" in row


def test_it_equals_evaluate_on_a_real_run(tiny_files, tmp_path, capsys):
    g = np.random.default_rng(0)
    for part, n in (("pool", 6), ("test", 4)):
        for name in ("dog", "cat", "zebra"):
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(n):
                pixels = g.integers(0, 256, (40, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / part / name / f"{i}.png")
    store = Store(tmp_path / "store", 52)
    sets = {p: store.open(store.ingest(tmp_path / p).set_id) for p in ("pool", "test")}
    config, weights = map(str, tiny_files["vit"])
    settings = Settings(backbone=config, pretrained=weights, epochs=1, lr=0.05, device="cpu")
    folder = create_run(
        tmp_path / "run",
        settings,
        ["dog", "cat"],
        reference(store, sets["pool"]),
        None,
        reference(store, sets["test"]),
        folder_labels(sets["test"]),
    )
    assert execute(folder)["state"] == "finished"
    argv = ["evaluate", folder.path, tmp_path / "test", "--store", tmp_path / "store", "--json"]
    assert main([str(a) for a in argv]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    cells = shown(html_report(folder))
    for name in ("acc", "auc", "hm", "fpr95"):
        before, after = found["zero_shot"][name], found["adapted"][name]
        assert cells[name][:2] == [f"{before:.1f} %", f"{after:.1f} %"]


def test_nothing_is_loaded_and_nothing_can_run():
    reader = read(html_report(write_run("r")))
    policy = [a["content"] for t, a in reader.tags if a.get("http-equiv")]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert not {"script", "link", "iframe", "object", "a"} & {t for t, _ in reader.tags}
    sources = [a["src"] for t, a in reader.tags if t == "img"]
    assert len(sources) > 10 and all(s.startswith("data:image/jpeg;base64,") for s in sources)
    assert not [a for _, a in reader.tags if any(k.startswith("on") for k in a)]


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>b()<|script>",
        '"><img src=x onerror="a()">',
        "' onerror='a()",
        "{{7*7}}{% raw %}",
        "<|style><b>",
        "<|svg><|title><i>&amp;",
    ],
)
def test_names_are_escaped(hostile):
    # A class or a title may contain a slash, which in a file name separates folders.
    name, file = hostile.replace("|", "/"), hostile.replace("|", "")
    plain = read(html_report(write_run("plain")))
    hostile_run = write_run("r", title=name, classes=["cat", "dog", name], prefix=file)
    reader = read(html_report(hostile_run))
    assert {t for t, _ in reader.tags} == {t for t, _ in plain.tags}
    assert {k for _, a in reader.tags for k in a} == {k for _, a in plain.tags for k in a}
    assert [a["content"] for _, a in reader.tags if a.get("http-equiv")]
    words = [text.strip() for text in reader.words]
    assert name in words  # the heading; and in a cell of every table of classes
    assert words.count(name) > 3
    files = [a["alt"] for t, a in reader.tags if t == "img"]
    assert files and all(f.startswith(file) for f in files)
    # The style sheet ends where it ends in a plain report.
    assert [w for w in reader.words if ":root" in w] == [w for w in plain.words if ":root" in w]


def test_a_template_refuses_a_name_that_it_is_not_given():
    with pytest.raises(UndefinedError, match="policy"):
        templates().get_template("report.html").render()


def test_without_labels_it_claims_nothing():
    html = html_report(write_run("r", labeled=False))
    words = " ".join(read(html).words)
    assert "No labels, so improvement cannot be measured" in words
    assert "unsupervised threshold (heuristic)" in words
    assert not shown(html) and "ROC" not in html and "Accuracy by class" not in html


def test_a_degraded_model_is_reported_first():
    html = html_report(write_run("r", skill=(0.15, 0.03)))
    assert '<div class="verdict worse">' in html
    assert html.index("adaptation degraded the model") < html.index("<table")


def test_a_deleted_image_is_reported_as_deleted():
    folder = write_run("r")
    for path in Path(folder.config["pool"]["store"]).glob("sets/*.json"):
        path.unlink()
    assert "(deleted from the store)" in html_report(folder)


def test_it_is_small_enough_for_an_email_and_leaves_no_other_file(tmp_path):
    out = tmp_path / "new" / "report.html"
    size = write_report(out, write_run("r"))
    assert size == out.stat().st_size < 1_000_000
    assert [p.name for p in out.parent.iterdir()] == ["report.html"]


def test_a_number_stays_on_a_line_with_its_unit():
    words = " ".join(read(html_report(write_run("r"))).words)
    sentence = re.search(r"Better: adaptation.*?\)\.", words).group(0)
    assert "95\xa0% interval" in sentence and "95 %" not in sentence


def test_an_unfinished_run_is_refused():
    with pytest.raises(UserError, match="has no result yet"):
        html_report(write_run("r", state="paused"))
