"""Arrays on disk: what is read is what was written, or an error."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from ueo_core.utils.tensor_files import read_tensors, write_tensors

ARRAYS = {"a": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.ones(3, np.int64)}


@pytest.fixture
def path(tmp_path):
    write_tensors(tmp_path / "x.safetensors", ARRAYS, {"title": '"t"'})
    return tmp_path / "x.safetensors"


def test_arrays_and_texts_come_back(path):
    arrays, about = read_tensors(path)
    assert about == {"title": '"t"'} and arrays.keys() == ARRAYS.keys()
    assert all(np.array_equal(arrays[k], ARRAYS[k]) for k in ARRAYS)
    assert read_tensors(path, lambda name: name == "b")[0].keys() == {"b"}


def test_any_flipped_bit_of_a_value_is_noticed(path):
    data = path.read_bytes()
    values = sum(a.nbytes for a in ARRAYS.values())
    for at in range(len(data) - values, len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(ValueError, match="have changed"):
            read_tensors(path)


def test_other_arrays_are_not_read_for_one_that_is_wanted(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # of one array
    path.write_bytes(data)
    readable = []
    for name in ARRAYS:
        try:
            readable += read_tensors(path, lambda found, name=name: found == name)[0]
        except ValueError:
            continue
    assert len(readable) == 1


@pytest.mark.parametrize("size", [0, 7, 40, -1])
def test_a_cut_file_is_a_plain_error(path, size):
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError):
        read_tensors(path)


def test_files_of_earlier_versions_have_no_digests(tmp_path):
    save_file(ARRAYS, tmp_path / "old.safetensors")
    assert read_tensors(tmp_path / "old.safetensors")[0].keys() == ARRAYS.keys()
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "none.safetensors")
