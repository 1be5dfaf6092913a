"""README and docs say what is so: links, commands, names, the Python block."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from ueo_core.cli.parser import build

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "ARCHITECTURE.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def commands(page: Path) -> list[str]:
    """Every indented or inline command of the studio that names its arguments."""
    lines = [
        line.strip()
        for line in text(page).splitlines()
        if line.startswith("    python -m ueo_core ")
    ]
    inline = re.findall(r"`(python -m ueo_core [^`]+)`", text(page))
    return [c for c in (*lines, *inline) if "…" not in c and "NAME" not in c]


def test_the_readme_is_for_a_newcomer():
    assert len(text(ROOT / "README.md").splitlines()) < 200


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text(page)):
        if not link.startswith(("http://", "https://")):
            assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_parse(page):
    for command in commands(page):
        words = shlex.split(command.replace("\n", " "), comments=True)
        assert build().parse_args(words[3:]).command, command


def test_every_command_is_in_the_list():
    said = {shlex.split(c, comments=True)[3] for c in commands(ROOT / "docs" / "command-line.md")}
    (action,) = [a for a in build()._actions if a.dest == "command"]
    assert said == set(action.choices)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_names_of_the_code_exist(page):
    for name in set(re.findall(r"`(ueo_core(?:\.\w+)+)`", text(page))):
        module, parts = name, []
        while True:
            try:
                found = import_module(module)
                break
            except ModuleNotFoundError:
                module, _, part = module.rpartition(".")
                parts.insert(0, part)
        for part in parts:
            assert hasattr(found, part), name
            found = getattr(found, part)


def test_the_table_of_rooms_is_the_folders():
    table = text(ROOT / "ARCHITECTURE.md")
    rooms = re.findall(r"^\| `(\w+)` \|", table, re.M)
    folders = {p.parent.name for p in (ROOT / "ueo_core").glob("*/__init__.py")}
    assert set(rooms) == folders and len(rooms) == len(folders)
    listed = re.search(
        r'containers = \["ueo_core"\]\nlayers = \[(.*?)\]', text(ROOT / "pyproject.toml"), re.S
    )
    order = re.findall(r"\w+", listed[1])[1:]  # without __main__
    assert [r for r in reversed(order) if r not in ("cli", "api")] == rooms[:-2]


@pytest.mark.long
def test_the_readmes_python_runs():
    (block,) = re.findall(r"```python\n(.*?)```", text(ROOT / "README.md"), re.S)
    names: dict = {}
    exec(compile(block, "README.md", "exec"), names)
    assert names["scores"]["hm"] > names["scores"]["zero_shot"]["hm"]
    assert Path(names["folder"], "sample.safetensors").is_file()


@pytest.mark.long
def test_the_notebook_runs(tmp_path):
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(ROOT / "docs" / "notebooks" / "first_steps.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # stored without results
    done = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
    ).execute()
    assert sum(cell.cell_type == "code" for cell in done.cells) == 7
