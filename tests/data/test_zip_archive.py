"""The members of a zip archive: what is refused with which words, bounded reads, identities."""

import io
import stat
import struct
import unicodedata
import zipfile
import zlib

import pytest

from ueo_core.data.bounded_reads import BoundedReads
from ueo_core.data.limits import Limits, RejectedFile
from ueo_core.data.safe_names import UniqueNames
from ueo_core.data.source_entries import Source
from ueo_core.data.zip_archive import list_zip
from ueo_core.utils.errors import UserError


def listed(data: bytes, limits: Limits | None = None, **details) -> Source:
    source = Source("zip")
    list_zip(source, io.BytesIO(data), "a.zip", limits or Limits(), UniqueNames(), **details)
    return source


def packed(*members: tuple[zipfile.ZipInfo | str, bytes], **options) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def info(name: str, kind: int) -> zipfile.ZipInfo:
    found = zipfile.ZipInfo(name)
    found.external_attr = (kind | 0o644) << 16
    return found


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (".hidden.png", "hidden file"),
        ("__MACOSX/a.png", "system file"),
        (info("link.png", stat.S_IFLNK), "a link inside the archive"),
        (info("device.png", stat.S_IFCHR), "not a regular file"),
        (info("pipe.png", stat.S_IFIFO), "not a regular file"),
        ("../up.png", "'..' in the name"),
    ],
)
def test_members_that_are_left_out_and_why(member, reason):
    source = listed(packed((member, b"x"), ("ok.png", b"y")))
    assert [(s.reason) for s in source.skipped] == [reason]
    assert [e.name for e in source.entries] == ["ok.png"]


def test_a_regular_file_is_read_with_its_sizes():
    source = listed(packed((info("a.png", stat.S_IFREG), b"x" * 100)), prefix="in/")
    (entry,) = source.entries
    assert (entry.name, entry.size, entry.packed, entry.identity) == ("in/a.png", 100, 100, None)
    with entry.open() as file:
        assert file.read() == b"x" * 100


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_rare_methods_are_refused(method):
    (skipped,) = listed(packed(("a.png", b"x" * 50), compression=method)).skipped
    assert skipped.reason == (
        "an unusual compression method; create the zip file again with the standard one"
    )


def test_an_encrypted_member_is_refused():
    data = bytearray(packed(("a.png", b"x")))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    (skipped,) = listed(bytes(data)).skipped
    assert skipped.reason == "encrypted; create the zip file again without a password"


def test_an_identity_tells_a_changed_member_apart():
    same = [listed(packed(("a.png", b"x"), ("b.png", b"x")), identity=(7, 8)) for _ in range(2)]
    changed = listed(packed(("a.png", b"z"), ("b.png", b"x")), identity=(7, 8))
    first, again, other = ([e.identity for e in s.entries] for s in (*same, changed))
    assert first == again and first[0][:2] == (7, 8)
    assert first[0] != other[0] and first[1] == other[1]
    assert first[0] != first[1]  # equal bytes at another place


def test_files_beyond_the_limit_are_counted():
    names = [(f"{i}.png", b"x") for i in range(5)]
    source = listed(packed(("folder/", b""), *names), Limits(max_files=3))
    assert len(source.entries) == 3 and source.left_out == 2 and source.skipped == []


def test_a_broken_archive_and_one_with_too_long_a_list():
    with pytest.raises(UserError, match="Zip file a.zip: it is broken; create it again."):
        listed(b"PK\x03\x04 and nothing else")
    data = packed(*((f"{i:04d}.png", b"") for i in range(50)))
    with pytest.raises(UserError, match="max_zip_directory_bytes = 1,000; split it or raise"):
        listed(data, Limits(max_zip_directory_bytes=1_000))


def test_reads_are_bounded_to_the_byte():
    reads = BoundedReads(io.BytesIO(b"0123456789"), 10, "it", "max_zip_directory_bytes")
    assert reads.readable() and reads.seekable()
    assert reads.read(4) == b"0123" and reads.tell() == 4
    assert reads.seek(-2, io.SEEK_END) == 8 and reads.read() == b"89"
    reads.seek(0)
    assert reads.read() == b"0123456789" and reads.read(0) == b""
    reads.seek(0)
    assert reads.read(10) == b"0123456789"
    for size in (11, 10**12):
        reads.seek(0)
        with pytest.raises(RejectedFile, match="max_zip_directory_bytes = 10"):
            reads.read(size)
    longer = BoundedReads(io.BytesIO(b"01234567890"), 10, "it", "max_zip_directory_bytes")
    with pytest.raises(RejectedFile):
        longer.read()
    assert longer.tell() == 11  # one byte more than allowed, and no more


def renamed(name: str, raw: bytes, utf8: bool = False, extra: bytes = b"") -> bytes:
    """An archive with one member whose name is stored as these very bytes."""
    made = zipfile.ZipInfo("?" * len(raw))
    made.extra = extra
    data = bytearray(packed((made, b"x")))
    if utf8:
        for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            data[data.index(signature) + offset + 1] |= 8
    return bytes(data).replace(b"?" * len(raw), raw)


def unicode_path(name: str, plain: bytes) -> bytes:
    field = b"\1" + struct.pack("<L", zlib.crc32(plain)) + name.encode()
    return struct.pack("<HH", 0x7075, len(field)) + field


MANGLED = "L?we/a.png".encode("cp437")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (renamed("utf-8 without the flag", "Löwe/a.png".encode()), "Löwe/a.png"),
        (renamed("macOS", unicodedata.normalize("NFD", "Löwe/a.png").encode()), "Löwe/a.png"),
        (renamed("with the flag", "椅子/a.png".encode(), utf8=True), "椅子/a.png"),
        (renamed("CP437", "Löwe/a.png".encode("cp437")), "Löwe/a.png"),
        (renamed("field", MANGLED, extra=unicode_path("Löwe/a.png", MANGLED)), "Löwe/a.png"),
        # The field is of another name: the member was renamed by a program that left the field.
        (renamed("old field", b"Lion/a.png", extra=unicode_path("Löwe/a.png", b"x")), "Lion/a.png"),
        (renamed("cut field", b"Lion/a.png", extra=b"\x75\x70\x04\x00\x01abc"), "Lion/a.png"),
        (renamed("hostile", "../Löwe.png".encode()), None),
    ],
)
def test_names_are_decoded_as_they_were_meant(data, name):
    source = listed(data)
    if name is None:
        assert [(s.name, s.reason) for s in source.skipped] == [("../Löwe.png", "'..' in the name")]
        return
    (entry,) = source.entries
    assert entry.name == name
    with entry.open() as file:
        assert file.read() == b"x"
