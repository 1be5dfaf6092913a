"""Reading one file of a source: all its bytes with few calls, and no more than the limits allow."""

import io

import pytest

from ueo_core.data.entry_bytes import read_entry
from ueo_core.data.limits import Limits, RejectedFile
from ueo_core.data.source_entries import Entry

HEAD = b"\xff\xd8\xff"  # of a JPEG


class Calls(io.RawIOBase):
    """A file that notes how many bytes each read returned, at most `longest` of them."""

    def __init__(self, data: bytes, longest: int) -> None:
        self.file, self.longest, self.returned = io.BytesIO(data), longest, []

    def read(self, size: int = -1) -> bytes:
        part = self.file.read(min(size, self.longest) if size >= 0 else self.longest)
        self.returned.append(len(part))
        return part


def read(data: bytes, listed: int | None = None, longest: int = 10**9, **limits):
    """→ (the bytes, what each call returned, the bytes that were counted)"""
    calls, counted = Calls(data, longest), []
    entry = Entry("a.jpg", lambda: calls, len(data) if listed is None else listed)
    return read_entry(entry, Limits(**limits), counted.append), calls.returned, sum(counted)


@pytest.mark.parametrize("size", [3, 31, 32, 33, 65_535, 65_536, 65_537, 1_100_000])
@pytest.mark.parametrize("longest", [10**9, 40_000])
def test_every_byte_is_read_and_counted(size, longest):
    data = HEAD + bytes(i % 251 for i in range(size - len(HEAD)))
    found, _, counted = read(data, longest=longest)
    assert found == data and counted == size


def test_a_small_file_is_read_by_one_call_and_its_end_by_another():
    assert read(HEAD + bytes(20_000))[1] == [20_003, 0]


def test_of_a_large_file_that_is_no_image_only_the_head_is_read():
    calls = Calls(b"ID3" + bytes(100_000), 10**9)
    with pytest.raises(RejectedFile, match="not an image"):
        read_entry(Entry("a.mp3", lambda: calls, 100_003), Limits(), lambda n: None)
    assert calls.returned == [32]


@pytest.mark.parametrize("listed", [3, 500, 999])
def test_a_file_larger_than_listed_is_read_to_its_end_or_to_the_limit(listed):
    data = HEAD + bytes(997)
    assert read(data, listed, max_file_bytes=1_000)[0] == data
    with pytest.raises(RejectedFile, match="max_file_bytes = 999"):
        read(data, listed, max_file_bytes=999)
