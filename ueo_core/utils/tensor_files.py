"""Arrays in safetensors files whose values are checked: the format itself notices no changed bit."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ueo_core.utils.errors import UserError
from ueo_core.utils.files import write_whole
from ueo_core.utils.rows import blocks

DIGESTS = "digests"  # key in the metadata; files of earlier versions have none
# Names of the format by NumPy's, of what the studio writes.
_TYPES = {"float32": "F32", "float64": "F64", "int32": "I32", "int64": "I64"}


def write_tensors(
    path: Path, arrays: Mapping[str, NDArray], about: Mapping[str, str] | None = None
) -> None:
    """Write arrays and texts about them, completely or not at all.

    The bytes go to the file from where they are: safetensors' own `save` makes two copies of all of them.
    """
    # Numbers of eight bytes first, as the format wants them: each begins at a multiple of its size.
    whole = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    whole = dict(sorted(whole.items(), key=lambda item: -item[1].itemsize))
    tensors, end = {}, 0
    for name, array in whole.items():
        begin, end = end, end + array.nbytes
        kind = _TYPES[array.dtype.name]
        tensors[name] = {"dtype": kind, "shape": array.shape, "data_offsets": [begin, end]}
    header = _header(tensors, {name: _digest([a]) for name, a in whole.items()}, about or {})

    def write(file: BinaryIO) -> None:
        file.write(header)
        for array in whole.values():
            file.write(_bytes(array))

    write_whole(path, write)


def write_rows(
    path: Path,
    name: str,
    shape: tuple[int, int],
    batches: Iterable[NDArray[np.float32]],
    about: Mapping[str, str] | None = None,
) -> None:
    """`write_tensors` of one matrix (N, D) whose rows come in batches: they are never all in memory.

    Whatever `batches` raises is raised, and nothing is written; `ValueError` for another number of rows.
    """
    tensors = {name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 * shape[0] * shape[1]]}}

    def write(file: BinaryIO) -> None:
        digest, rows = hashlib.sha256(), 0
        # The digest stands before the values; its length is known before they are.
        file.write(_header(tensors, {name: digest.hexdigest()}, about or {}))
        for batch in batches:
            part = np.ascontiguousarray(batch, np.float32)
            digest.update(_bytes(part))
            file.write(_bytes(part))
            rows += len(part)
        if rows != shape[0]:
            raise ValueError(f"{name}: {rows} rows came instead of {shape[0]}")
        file.seek(0)
        file.write(_header(tensors, {name: digest.hexdigest()}, about or {}))

    write_whole(path, write)


def _header(
    tensors: Mapping[str, dict[str, Any]], digests: Mapping[str, str], about: Mapping[str, str]
) -> bytes:
    """What stands before the values: of which types, shapes and places they are, and texts."""
    metadata = {**about, DIGESTS: json.dumps(digests)}
    text = json.dumps({"__metadata__": metadata, **tensors}).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def read_tensors(
    path: Path, wanted: Callable[[str], bool] = lambda name: True
) -> tuple[dict[str, NDArray], dict[str, str]]:
    """The wanted arrays by name, and the texts about them.

    Raises `OSError` if the file cannot be read, and `ValueError` if it is damaged.
    """
    try:
        with safe_open(path, "numpy") as file:
            about, digests = _about(file)
            arrays = {name: file.get_tensor(name) for name in _names(file, wanted)}
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    for name, array in arrays.items():
        _check(name, digests, _digest([array]))
    return arrays, about


class StoredRows:
    """A float32 matrix (N, D) in a file, whose rows are read when they are asked for.

    `rows[7]`, `rows[2:9]`, and `rows[indices]`; `rows[:]` is all of it. Nothing stays in memory, and the
    file is not held open, so that it can be written again: reading then raises `UserError`.
    """

    def __init__(self, path: Path, name: str, stamp: "_Stamp"):
        self.path, self.name, self._stamp = path, name, stamp
        with safe_open(path, "numpy") as file:
            stored = file.get_slice(name)
            self.shape: tuple[int, ...] = tuple(stored.get_shape())
            if stored.get_dtype() != "F32" or len(self.shape) != 2:
                raise ValueError(f"{name} is no matrix of numbers")

    @cached_property
    def digest(self) -> str:
        """Of all values; they are read once for it, a block at a time."""
        return _digest(self[rows] for rows in blocks(*self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> NDArray:
        try:
            with safe_open(self.path, "numpy") as file:
                found = self._read(file.get_slice(self.name), rows)
            if _stamp(self.path) == self._stamp:
                return found
        except (OSError, SafetensorError):
            pass  # it is gone, or another file
        raise UserError(
            f"File “{self.path}”: it was written again after it was opened; open the page again."
        )

    def _read(self, stored: Any, rows: Any) -> NDArray:
        if isinstance(rows, slice) and rows.step in (None, 1):
            start, stop, _ = rows.indices(len(self))
            # safetensors reads no empty slices.
            return stored[start:stop] if start < stop else np.empty((0, self.shape[1]), np.float32)
        wanted = np.arange(len(self))[rows]  # IndexError outside, which also ends an iteration
        if wanted.ndim == 0:
            return stored[int(wanted) : int(wanted) + 1][0]
        found = np.empty((len(wanted), self.shape[1]), np.float32)
        for place, row in enumerate(wanted.tolist()):
            found[place] = stored[row : row + 1][0]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        """All of it, in memory."""
        return np.asarray(self[:], dtype)


def stored_rows(path: Path, wanted: Callable[[str], bool]) -> dict[str, StoredRows]:
    """The wanted matrices of a file, by name; their values are checked, the first time they are opened.

    Raises as `read_tensors` does, and `ValueError` for one that is no float32 matrix.
    """
    stamp = _stamp(path)
    try:
        with safe_open(path, "numpy") as file:
            _, digests = _about(file)
            names = _names(file, wanted)
        found = {name: _opened(path, name, stamp) for name in names}
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    for name, rows in found.items():
        _check(name, digests, rows.digest)
    return found


_Stamp = tuple[int, int, int]


def _stamp(path: Path) -> _Stamp:
    """What differs once a file was written again."""
    found = os.stat(path)
    return found.st_ino, found.st_mtime_ns, found.st_size


@lru_cache(maxsize=256)  # keeps the digests, which take a second for each GB
def _opened(path: Path, name: str, stamp: _Stamp) -> StoredRows:
    return StoredRows(path, name, stamp)


def _about(file: Any) -> tuple[dict[str, str], dict[str, str]]:
    """The texts of an open file, and the digests of its arrays."""
    about = dict(file.metadata() or {})
    digests = json.loads(about.pop(DIGESTS, "{}"))
    if not isinstance(digests, dict):
        raise ValueError("its digests cannot be read")
    return about, digests


def _names(file: Any, wanted: Callable[[str], bool]) -> list[str]:
    return [name for name in file.keys() if wanted(name)]  # noqa: SIM118 (no dict)


def _check(name: str, digests: Mapping[str, str], found: str) -> None:
    if digests.get(name, found) != found:
        raise ValueError(f"the values of {name} have changed")


def _digest(parts: Iterable[NDArray]) -> str:
    """Of the bytes of C-contiguous arrays, one after the other."""
    found = hashlib.sha256()
    for part in parts:
        found.update(_bytes(part))
    return found.hexdigest()


def _bytes(array: NDArray) -> memoryview:
    """The bytes of a C-contiguous array, not copied."""
    return array.reshape(-1).view(np.uint8).data
