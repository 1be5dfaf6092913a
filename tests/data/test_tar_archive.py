"""Tar archives read in place: WebDataset's layout, hostile names, damage."""

import tarfile
from itertools import takewhile

import pytest

from tests.helpers.streams import image_bytes, write_tar
from ueo_core.data.intake_report import SkippedFile
from ueo_core.data.limits import Limits
from ueo_core.data.source_entries import Entry
from ueo_core.data.tar_archive import tar_files

LIMITS = Limits()


def kept(path, **options):
    return [f for f in tar_files(path, LIMITS, **options) if isinstance(f, Entry)]


def skipped(path):
    return {f.name: f.reason for f in tar_files(path, LIMITS) if isinstance(f, SkippedFile)}


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def test_images_are_read_in_place_and_what_lies_beside_them_is_not(tmp_path):
    members = [(f"{i}.{end}", image_bytes(i)) for i in range(3) for end in ("png", "cls", "json")]
    path = write_tar(tmp_path / "a.tar", [(special("folder", tarfile.DIRTYPE), b""), *members])
    found = kept(path, prefix="shards/a.tar/")
    assert [f.name for f in found] == [f"shards/a.tar/{i}.png" for i in range(3)]
    for i, entry in enumerate(found):
        assert entry.size == len(image_bytes(i))
        with entry.open() as file:
            assert file.read(7) + file.read() == image_bytes(i) and file.read() == b""
    assert len({f.identity for f in found}) == 3


def test_hostile_names_and_kinds_are_named_and_never_followed(tmp_path):
    path = write_tar(
        tmp_path / "a.tar",
        [
            ("../../up.png", b"x"),
            ("/root.png", b"x"),
            ("C:/drive.png", b"x"),
            ("a/.hidden.png", b"x"),
            ("n" * 1200 + ".png", b"x"),
            (special("link.png", tarfile.SYMTYPE, "/etc/passwd"), b""),
            (special("hard.png", tarfile.LNKTYPE, "../x"), b""),
            (special("device.png", tarfile.CHRTYPE), b""),
            ("bidi\u202egpj.png", b"x"),
            ("good.png", b"x"),
        ],
    )
    reasons = skipped(path)
    assert reasons["../../up.png"] == "'..' in the name"
    assert reasons["/root.png"] == "absolute path in the name"
    assert reasons["C:/drive.png"] == "drive letter in the name"
    assert reasons["a/.hidden.png"] == "hidden file"
    assert reasons["link.png"] == reasons["hard.png"] == "a link inside the archive"
    assert reasons["device.png"] == "not a regular file"
    assert "max_name_chars" in next(r for n, r in reasons.items() if n.startswith("nnn"))
    assert [f.name for f in kept(path)] == ["bidi\ufffdgpj.png", "good.png"]


def test_a_damaged_archive_gives_what_is_before_the_damage_and_says_so(tmp_path):
    whole = write_tar(tmp_path / "a.tar", [(f"{i}.png", image_bytes(i)) for i in range(6)])
    third = next(f for f in tar_files(whole, LIMITS) if f.name == "3.png").identity[-1]
    data = whole.read_bytes()
    for name, damaged in {
        "cut.tar": data[: third + 100],
        "header.tar": data[: third - 512] + b"\x07" * 512 + data[third:],
        "cut-header.tar": data[: third - 300],
    }.items():
        (tmp_path / name).write_bytes(damaged)
        names = [f.name for f in kept(tmp_path / name)]
        assert names[:3] == ["0.png", "1.png", "2.png"], name
        assert "damaged" in skipped(tmp_path / name)[name], name
    (tmp_path / "no.tar").write_bytes(b"this is no archive" * 100)
    assert skipped(tmp_path / "no.tar") == {"no.tar": "the archive is damaged after 0 of its files"}


def test_a_header_that_asks_for_much_memory_is_refused(tmp_path):
    huge = tarfile.TarInfo("x.png")
    huge.pax_headers = {"comment": "c" * (2 << 20)}
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("first.png"))
        archive.addfile(huge)
    assert [f.name for f in kept(path)] == ["first.png"]
    assert "header_bytes = 1,048,576" in skipped(path)["a.tar"]


def test_headers_are_not_held(tmp_path, monkeypatch):
    held = []
    path = write_tar(tmp_path / "a.tar", [(f"{i}.png", b"x") for i in range(40)])
    real = tarfile.TarFile.next
    monkeypatch.setattr(
        tarfile.TarFile, "next", lambda self: (held.append(len(self.members)), real(self))[1]
    )
    assert len(kept(path)) == 40 and max(held) <= 1


def test_a_missing_archive_is_a_reason(tmp_path):
    assert "cannot be read" in skipped(tmp_path / "none.tar")["none.tar"]


@pytest.mark.parametrize("at", [0, 100, 511, 512, 1100, 1536])
def test_any_cut_ends_in_a_reason_or_in_fewer_files(tmp_path, at):
    data = write_tar(
        tmp_path / "a.tar", [("a.png", b"y" * 600), ("b.png", b"z" * 600)]
    ).read_bytes()
    (tmp_path / "b.tar").write_bytes(data[:at])
    found = list(tar_files(tmp_path / "b.tar", LIMITS))
    good = list(takewhile(lambda f: isinstance(f, Entry), found))
    assert [f.name for f in good] == ["a.png", "b.png"][: len(good)] and len(found) - len(good) <= 1
