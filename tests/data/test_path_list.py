"""Tables of paths: CSV and Parquet, missing files, tables that are none."""

import pytest

from tests.helpers.streams import image_bytes
from ueo_core.data.intake_report import SkippedFile
from ueo_core.data.limits import Limits
from ueo_core.data.path_list import listed_files
from ueo_core.utils.errors import UserError


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "-b.png"):
        (tmp_path / name).write_bytes(image_bytes(len(name)))
    return tmp_path


def test_a_csv_names_files_relative_to_its_own_folder(folder):
    (folder / "deep").mkdir()
    table = folder / "deep" / "list.csv"
    text = f"label,path\ndog,../a.png\n,'-b.png\n,{folder / '-b.png'}\n,none.png\n,\n,../deep\n"
    table.write_text("\ufeff" + text, encoding="utf-8")
    found = list(listed_files(table, Limits()))
    assert [f.name for f in found[:1]] == ["../a.png"] and found[0].open().read() == image_bytes(5)
    assert found[2].open().read() == image_bytes(6)
    reasons = {f.name: f.reason for f in found if isinstance(f, SkippedFile)}
    assert "No such file" in reasons["none.png"] and "No such file" in reasons["-b.png"]
    assert reasons[""] == "a row without a path" and "folder" in reasons["../deep"]


def test_parquet_is_the_same(folder):
    pa = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    table = folder / "list.parquet"
    write_table(pa.table({"path": ["a.png", None, "-b.png"], "n": [1, 2, 3]}), table)
    found = list(listed_files(table, Limits()))
    assert [f.name for f in found] == ["a.png", "", "-b.png"]
    assert found[2].open().read() == image_bytes(6)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.csv", b"file\nx.png\n", "no column “path”"),
        ("a.csv", b"path\n\xff\xfe\n", "cannot be read"),
        ("a.csv", b"", "no column “path”"),
        ("a.parquet", b"PAR1 and no more", "cannot be read"),
    ],
)
def test_what_is_no_such_table_is_one_sentence(tmp_path, name, data, reason):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=reason):
        list(listed_files(tmp_path / name, Limits()))


def test_a_path_that_no_system_takes_is_a_reason(tmp_path):
    (tmp_path / "a.csv").write_text(f"path\n{'x' * 5000}\n", encoding="utf-8")
    (found,) = listed_files(tmp_path / "a.csv", Limits())
    assert isinstance(found, SkippedFile) and "cannot be read" in found.reason
