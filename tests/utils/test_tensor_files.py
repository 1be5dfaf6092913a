"""Arrays on disk: what is read is what was written, or an error."""

import json
import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ueo_core.utils.errors import UserError
from ueo_core.utils.tensor_files import read_tensors, stored_rows, write_rows, write_tensors

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


def test_the_file_is_one_of_safetensors_with_aligned_numbers(tmp_path):
    arrays = {
        "odd": np.arange(3, dtype=np.float32),
        "a": np.arange(6, dtype=np.int64).reshape(2, 3)[:, ::2],  # not contiguous
        "empty": np.empty((0, 7), np.float32),
        "ä": np.ones((1, 1), np.int32),
        "doubles": np.array([3.5, -1.0]),
    }
    write_tensors(tmp_path / "x.safetensors", arrays, {"title": "“t”"})
    found = load_file(tmp_path / "x.safetensors")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert np.array_equal(found[name], array) and found[name].dtype == array.dtype, name
    data = (tmp_path / "x.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    assert size % 8 == 0 and header.pop("__metadata__")["title"] == "“t”"
    for name, told in header.items():
        assert told["data_offsets"][0] % arrays[name].itemsize == 0


def test_writing_copies_no_array(tmp_path):
    array = np.ones((1000, 1000), np.float32)
    tracemalloc.start()
    write_tensors(tmp_path / "x.safetensors", {"a": array})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < array.nbytes / 4


def test_rows_that_come_in_batches_make_the_file_of_the_whole_matrix(tmp_path):
    matrix = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    parts = (matrix[:2], matrix[2:2], np.asfortranarray(matrix[2:]))
    write_rows(tmp_path / "parts.safetensors", "ä", matrix.shape, iter(parts), {"title": "“t”"})
    write_tensors(tmp_path / "whole.safetensors", {"ä": matrix}, {"title": "“t”"})
    made, whole = ((tmp_path / f"{n}.safetensors").read_bytes() for n in ("parts", "whole"))
    assert made == whole
    write_rows(tmp_path / "none.safetensors", "a", (0, 3), [])
    assert load_file(tmp_path / "none.safetensors")["a"].shape == (0, 3)


def test_writing_batches_holds_one_at_a_time(tmp_path):
    batch, count = (100, 1000), 50
    made = (np.full(batch, i, np.float32) for i in range(count))
    tracemalloc.start()
    write_rows(tmp_path / "x.safetensors", "a", (batch[0] * count, batch[1]), made)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 4 * batch[0] * batch[1]


def test_rows_that_do_not_all_come_leave_no_file(tmp_path):
    def breaks():
        yield np.ones((1, 3), np.float32)
        raise KeyError("cancelled")

    with pytest.raises(KeyError):
        write_rows(tmp_path / "x.safetensors", "a", (2, 3), breaks())
    with pytest.raises(ValueError, match="a: 1 rows came instead of 2"):
        write_rows(tmp_path / "x.safetensors", "a", (2, 3), [np.ones((1, 3), np.float32)])
    assert list(tmp_path.iterdir()) == []


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


# Matrices that stay in their file


@pytest.fixture
def stored(path):
    return stored_rows(path, lambda name: name == "a")["a"]


@pytest.mark.parametrize(
    "rows",
    [0, -1, slice(1, 3), slice(None), slice(2, 1), slice(0, 99), slice(None, None, 2), [2, 0], []],
)
def test_rows_of_a_file_are_those_of_the_array(stored, rows):
    rows = np.array(rows, np.int64) if isinstance(rows, list) else rows
    found = stored[rows]
    assert np.array_equal(found, ARRAYS["a"][rows]) and found.dtype == np.float32
    assert found.shape == ARRAYS["a"][rows].shape


def test_a_matrix_in_a_file_is_an_array_to_numpy_and_ends_as_one(stored):
    assert len(stored) == 3 and stored.shape == (3, 4)
    assert np.array_equal(np.asarray(stored), ARRAYS["a"])
    assert np.asarray(stored, np.float64).dtype == np.float64
    assert np.array_equal(stored[np.array([True, False, True])], ARRAYS["a"][[0, 2]])
    assert len(list(stored)) == 3
    with pytest.raises(IndexError):
        stored[3]


def test_its_values_are_checked_when_it_is_opened(path, stored):
    assert stored_rows(path, lambda name: name == "a")["a"] is stored  # checked once
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # of a or b, whichever is the last
    data[-1 - ARRAYS["b"].nbytes] ^= 1
    path.unlink()
    path.write_bytes(data)
    with pytest.raises(ValueError, match="the values of a have changed"):
        stored_rows(path, lambda name: name == "a")


def test_a_file_that_is_written_again_is_not_read_as_the_one_before(path, stored):
    write_tensors(path, {"a": ARRAYS["a"] + 1})
    with pytest.raises(UserError, match="written again after it was opened; open the page again"):
        stored[0]
    assert np.array_equal(stored_rows(path, lambda name: True)["a"][:], ARRAYS["a"] + 1)
    path.unlink()
    with pytest.raises(UserError, match="written again"):
        stored[0]


def test_only_matrices_of_numbers_stay_in_a_file(path, tmp_path):
    with pytest.raises(ValueError, match="b is no matrix"):
        stored_rows(path, lambda name: name == "b")
    with pytest.raises(FileNotFoundError):
        stored_rows(tmp_path / "none.safetensors", lambda name: True)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError):
        stored_rows(path, lambda name: True)


def test_matrices_of_earlier_versions_and_without_rows(tmp_path):
    save_file({"a": ARRAYS["a"], "empty": ARRAYS["a"][:0]}, tmp_path / "old.safetensors")
    found = stored_rows(tmp_path / "old.safetensors", lambda name: True)
    assert np.array_equal(found["a"][:], ARRAYS["a"]) and found["empty"][:].shape == (0, 4)
