"""Every page and command on a home with a damaged file: a sentence, never a traceback, nothing else lost.

The files are those of `whole_home.KINDS`: runs, datasets, the image store, uploads, adapters, studies.
"""

import random
import shutil
from collections.abc import Iterator
from pathlib import PurePosixPath

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.helpers.damage import DAMAGES, REMOVED, damage, damage_randomly
from tests.helpers.pages import ROOT, at, clean, errors
from tests.helpers.small_disk import mounted
from tests.helpers.whole_home import KINDS, Home, build_home
from ueo_core.cli.main import main
from ueo_core.data.store import Store
from ueo_core.utils.paths import store_root
from ui.common import network, shell

TABS = ("Known or unknown", "Classes", "Map", "Images", "Trust check", "Label a few")
# What a look at the app may write: none of it can be lost.
LOOKING = ("last use", "seen", "lock")
CASES = [(kind, how) for kind in KINDS for how in (*DAMAGES, REMOVED)]
FAST = random.Random(18).sample(CASES, 8)
SEEDS = [*range(2), *(pytest.param(s, marks=pytest.mark.long) for s in range(2, 100))]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_files):
    """A home and a copy of it."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UEO_STUDIO_HOME", str(folder / "home"))
        patch.setenv("UEO_STUDIO_ROOTS", str(folder))
        home = build_home(folder / "home", folder / "photos", tiny_files["vit"])
    shutil.copytree(home.root, folder / "copy")
    return home, folder / "copy"


@pytest.fixture
def home(whole, monkeypatch) -> Iterator[Home]:
    """The whole home, put back after the test."""
    monkeypatch.setenv("UEO_STUDIO_HOME", str(whole[0].root))
    yield whole[0]
    shell.shutdown()
    whole[0].restore(whole[1])


def views(home: Home) -> Iterator[tuple[str, str, dict, dict]]:
    """Every view: what it is of, its page, its query and the state of its widgets."""
    for id in (home.dataset, home.stopped):
        yield "dataset", "pages/1_Data.py", {"data": id}, {"data.store": True}
        yield "dataset", "pages/2_Adapt.py", {"data": id}, {}
        yield "dataset run", "pages/0_Photos.py", {"data": id}, {}
    yield "paused", "pages/3_Live.py", {"run": home.paused}, {}
    finished = {"run": home.finished}
    yield "run", "pages/3_Live.py", finished, {}
    for tab in TABS:
        state = {"inspect.tab": tab, "inspect.map.kind": "tsne"}
        yield "run", "pages/4_Inspect.py", finished, state
    yield "run", "pages/4_Inspect.py", finished, {f"inspect.{home.finished}.step": 2}
    yield "run", "pages/5_Compare.py", {"runs": f"{home.finished},{home.paused}"}, {}
    yield "study", "pages/5_Compare.py", {"view": "protocol", "protocol": home.study}, {}
    yield "run", "pages/6_Use.py", finished, {}
    yield "adapter", "pages/6_Use.py", {"adapter": home.adapter}, {}


def commands(home: Home, out) -> Iterator[tuple[str, tuple]]:
    """Every command that reads the home: what it is of, and its words."""
    run, adapter = home.root / "runs" / home.finished, home.root / "deltas" / home.adapter
    zebras = home.photos / "zebra"
    yield "run", ("inspect", run)
    yield "run", ("report", run, "--out", out / "report.html")
    yield "run", ("compare", run)
    yield "run", ("predict", run, zebras, "--csv", out / "run.csv")
    yield "adapter", ("predict", adapter / "delta.safetensors", zebras, "--csv", out / "a.csv")
    yield "run", ("evaluate", run, home.photos)
    yield "run", ("export", run, "--what", "adapter", "--to", out / "adapter.safetensors")
    yield "run", ("export", run, "--what", "folders", "--to", out / "sorted")
    yield "paused", ("resume", home.root / "runs" / home.paused)
    yield "run", ("resume", run, "--epochs", "1")
    yield "photos", ("ingest", home.photos, "--short-side", "64")


def concerns(kinds: set[str], subject: str) -> bool:
    """Whether a damage of these kinds may be spoken of where something is shown."""
    subjects = subject.split()
    if "paused" in subjects:  # it is a run, too
        subjects.append("run")
    return bool(kinds & {"store", *subjects}) or ("upload" in kinds and "dataset" in subjects)


def look(home: Home, kinds: set[str]) -> None:
    """Open every view: none shows a traceback, and only those that it concerns show an error."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.session_state["ueo.opened"] = True
    app.run()
    assert not app.exception and not errors(app)
    for subject, page, query, state in views(home):
        for name, value in state.items():
            app.session_state[name] = value
        app.switch_page(page)
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, (page, query, state)
        shown = errors(app)
        assert not shown or concerns(kinds, subject), (page, query, shown)
        assert all(sentence.endswith(".") for sentence in shown), shown


def command(home: Home, kinds: set[str], out, capsys) -> None:
    """Give every command: each succeeds, or says in a sentence why it does not."""
    out.mkdir()
    for subject, words in commands(home, out):
        code = main([str(w) for w in words])  # fails where it raises
        said = capsys.readouterr().err.strip().splitlines()[-1:]
        assert code == 0 or (code == 2 and concerns(kinds, subject)), (words, said)
        assert code == 0 or (said and said[0].endswith(".")), (words, said)


def kept(before: dict[str, bytes], home: Home, but: tuple[str, ...]) -> None:
    """Every file is as it was, but for those of some kinds, and packs, which may have grown."""
    after = home.everything()
    for name, data in before.items():
        free = any(PurePosixPath(name).match(KINDS[kind]) for kind in but)  # also one that is gone
        if not free and not name.endswith("hand_labels.json"):
            assert after.get(name, b"").startswith(data), f"{name} was changed or lost"


def walk(home: Home, kinds: list[str], out, capsys) -> None:
    before, rooms = home.everything(), {kind.partition(":")[0] for kind in kinds}
    look(home, rooms)
    locks = tuple(kind for kind in KINDS if kind.endswith(LOOKING))
    kept(before, home, locks)
    command(home, rooms, out, capsys)
    own = tuple(kind for kind in KINDS if kind.startswith(("run:", "store: features", "store: h")))
    kept(before, home, (*locks, *own, "store: manifest"))


def test_every_file_of_the_home_is_of_a_kind(home):
    files = {kind: set(home.files(kind)) for kind in KINDS}
    assert all(files.values()), [kind for kind, found in files.items() if not found]
    known = {p.relative_to(home.root).as_posix() for found in files.values() for p in found}
    assert known == home.everything().keys()


def test_every_view_shows_what_it_is_of(home, tmp_path, capsys):
    """Without damage nothing is refused: the walk looks where there is something to see."""
    walk(home, [], tmp_path / "out", capsys)


@pytest.mark.parametrize(
    ("kind", "how"), [pytest.param(*c, marks=[] if c in FAST else pytest.mark.long) for c in CASES]
)
def test_one_damaged_file(home, tmp_path, capsys, kind, how):
    damage(home.files(kind)[0], how)
    walk(home, [kind], tmp_path / "out", capsys)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_files_damaged_at_random(home, tmp_path, capsys, seed):
    g = random.Random(seed)
    kinds = g.sample(list(KINDS), 2)
    for kind in kinds:
        damage_randomly(g.choice(home.files(kind)), g)
    walk(home, kinds, tmp_path / "out", capsys)


def told(app: AppTest) -> str:
    """All that the page and its sidebar hold, as text."""
    left, found = list(app._tree.children.values()), []
    while left:
        node = left.pop()
        left += getattr(node, "children", {}).values()
        found.append(str(getattr(node, "proto", "") or ""))
    return "\n".join(found)


@pytest.mark.parametrize("kind", [None, "run: adapter", "store: manifest", "adapter", "study"])
def test_viewers_on_a_network_are_told_no_folder(home, kind, monkeypatch):
    monkeypatch.setattr(network, "local", lambda: False)
    if kind:
        damage(home.files(kind)[0], "list")
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.session_state["ueo.opened"] = True
    app.run()
    for _, page, query, state in views(home):
        for name, value in state.items():
            app.session_state[name] = value
        app.switch_page(page)
        for name, value in query.items():
            app.query_params[name] = value
        assert str(home.root.parent) not in told(clean(app.run())), (page, query)
    assert str(home.root.parent) not in told(at(app, "3_Live", run="none"))


@pytest.mark.parametrize("read_only", [False, True], ids=["full", "read-only"])
def test_every_view_opens_on_a_disk_that_takes_nothing(home, whole, read_only):
    with mounted(home.root, 16) as disk:
        shutil.copytree(whole[1], home.root, dirs_exist_ok=True)
        before = home.everything()
        disk.leave(0)
        if read_only:
            disk.empty()
            disk.forbid()
        look(home, set())
        shell.shutdown()
        disk.allow()
        disk.empty()
        kept(before, home, tuple(kind for kind in KINDS if kind.endswith(LOOKING)))


def press(app: AppTest, key: str) -> AppTest:
    """Press the button of that key. → the app, which has shown no traceback"""
    next(b for b in app.button if b.key == key).click().run()
    assert not app.exception
    return app


def test_what_cannot_be_saved_is_said(home, whole):
    with mounted(home.root, 16) as disk:
        shutil.copytree(whole[1], home.root, dirs_exist_ok=True)
        disk.leave(0)
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        app.session_state["ueo.opened"] = True
        inspect = {"run": home.finished}
        at(app, "1_Data", data=home.dataset)
        app.text_area[0].set_value("dog\ncat").run()
        next(b for b in app.button if b.label == "Save class names").click().run()
        said = {"names": errors(app)}
        at(app, "1_Data", data=home.dataset)
        app.radio(key=f"data.labels.{home.dataset}").set_value("none").run()
        said["labels"] = errors(clean(app))
        app.session_state["inspect.tab"] = "Label a few"
        at(app, "4_Inspect", **inspect)
        said["by hand"] = errors(press(app, "inspect.label.1"))
        app.session_state["inspect.tab"] = "Trust check"
        at(app, "4_Inspect", **inspect)
        said["trust"] = errors(press(app, "inspect.trust.1"))
        at(app, "2_Adapt", data=home.dataset)
        said["start"] = errors(press(app, "adapt.start"))
        at(app, "3_Live", run=home.paused)
        next(b for b in app.button if b.label == "Resume").click().run()
        said["resume"] = [toast.value for toast in clean(app).toast]
        for what, sentences in said.items():
            assert sentences and all("No space left" in s for s in sentences), (what, said)
        disk.empty()
        press(at(app, "2_Adapt", data=home.dataset), "adapt.start")
        assert not errors(app)


@pytest.mark.parametrize("how", [*DAMAGES, REMOVED])
@pytest.mark.parametrize("kind", ["manifest", "pixels", "index", "features", "hashes"])
def test_importing_again_mends_the_store(home, kind, how):
    for file in home.files(f"store: {kind}"):
        damage(file, how)
    store = Store(store_root(), 64)
    images = store.open(store.ingest(home.photos).set_id)
    assert len(images) == 18
    for i in range(len(images)):
        # Pixels have no digest: as many bytes of other values are other pixels.
        if kind != "pixels" or how in ("empty", "cut", REMOVED):
            assert np.array_equal(images.pixels(i), _original(home, images.names[i]))
        images.thumbnail(i)


def _original(home: Home, name: str) -> np.ndarray:
    return np.asarray(Image.open(home.photos / name).convert("RGB"))
