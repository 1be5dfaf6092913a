"""A file of which no single read may be large: archives tell readers how much to load."""

import io
from typing import BinaryIO

from ueo_core.data.limits import RejectedFile


class BoundedReads(io.RawIOBase):
    """Limits the single read by which zipfile and tarfile load what describes an archive's files.

    what: that is read, for the reason; name: of the limit.
    """

    def __init__(self, file: BinaryIO, limit: int, what: str, name: str) -> None:
        self._file, self._limit = file, limit
        self._reason = f"{what} is over the limit {name} = {limit:,}"

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size if size >= 0 else self._limit + 1, self._limit + 1))
        if max(size, len(data)) > self._limit:
            raise RejectedFile(self._reason)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True
