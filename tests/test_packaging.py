"""The package: requirements that agree, a wheel that works away from the clone."""

import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import ueo_core

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def required(name: str) -> set[str]:
    """The requirements of a file, without its comments and the files it includes."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = {line.partition("#")[0].strip() for line in lines}
    return {line for line in found if line and not line.startswith("-r")}


def test_requirements_agree_with_the_project():
    extras = PROJECT["optional-dependencies"]
    assert required("requirements.txt") == {*PROJECT["dependencies"], *extras["app"]}
    assert required("requirements-dev.txt") == set(extras["dev"])


def test_the_readme_names_every_package_that_is_required():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for line in required("requirements.txt"):
        assert re.split(r"[<>=]", line)[0] in readme, line


def test_the_version_is_in_one_place():
    assert PROJECT["dynamic"] == ["version"] and "version" not in PROJECT
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {ueo_core.__version__}\n" in citation
    assert f"## {ueo_core.__version__}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.long
def test_the_wheel_works_away_from_the_clone(tmp_path):
    outside = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def run(*command) -> str:
        command = [str(c) for c in command]
        done = subprocess.run(command, cwd=tmp_path, env=outside, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "env", with_pip=True)
    scripts = tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin")
    run(scripts / "python", "-m", "pip", "install", "--no-deps", wheel)
    # What it depends on comes from here, without this clone.
    (site,) = (p for p in map(Path, sys.path) if p.name == "site-packages")
    (own,) = (tmp_path / "env").rglob("site-packages")
    (own / "outside.pth").write_text(f"{site}\n", encoding="utf-8")
    said = run(scripts / "ueo", "backbones", "--json")
    assert '"drawings-resnet"' in said
    code = (
        "import sys, ueo_core as ueo\n"
        "from ueo_core.utils.paths import ASSETS\n"
        "assert str(ASSETS).startswith(sys.prefix), ASSETS\n"
        "model = ueo.load_backbone('drawings-vit')\n"
        "assert 'streamlit' not in sys.modules and 'plotly' not in sys.modules\n"
        "print(model.preprocessing.size[0])\n"
    )
    assert run(scripts / "python", "-c", code).strip() == "64"
    assert (own / "ueo_core" / "py.typed").is_file()
    # A report needs the templates, and a run that is in the tests.
    with zipfile.ZipFile(ROOT / "tests" / "version_1_0_0" / "run.zip") as archive:
        archive.extractall(tmp_path)
    run(scripts / "ueo", "report", tmp_path / "run", "--out", tmp_path / "report.html")
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<h2>Before and after</h2>" in report and "prefers-color-scheme" in report
