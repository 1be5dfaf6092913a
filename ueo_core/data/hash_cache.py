"""Content hashes stored by name and time stamps, so that adding a source again reads no files."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

from ueo_core.data.intake import HashesByName, Outcome
from ueo_core.data.safe_names import printable
from ueo_core.data.source_entries import Source
from ueo_core.utils.files import read_object, write_json

_SETTLED_NS = 2 * 10**9  # a file changed more recently may change again within the same time stamp


class KnownHashes:
    """The `hashes` folder of a store: one file per ingested folder or archive."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def load(self, source: Source) -> HashesByName:
        """Name -> (identity, content hash), from the last intake of this source."""
        listed = read_object(self._path(source)) if source.path else {}
        try:
            return {n: (tuple(i), str(sha)) for n, (i, sha) in listed["files"].items()}
        except (TypeError, KeyError, ValueError, AttributeError):
            return {}

    def save(self, source: Source, outcomes: Sequence[Outcome]) -> None:
        if source.path is None:
            return
        read = {o.entry.name for o in outcomes}
        listed = {entry.name for entry in source.entries}  # not read: the intake was canceled
        files = {n: k for n, k in self.load(source).items() if n in listed - read}
        settled = time.time_ns() - _SETTLED_NS
        for o in outcomes:
            if o.sha and o.entry.identity and max(o.entry.identity[1:3]) < settled:
                files[o.entry.name] = (o.entry.identity, o.sha)
        shown = printable(str(source.path), 4096)
        write_json(self._path(source), {"source": shown, "files": files})

    def prune(self) -> None:
        """Delete the hashes of sources that no longer exist."""
        for path in self._root.glob("*.json"):
            if not Path(str(read_object(path).get("source", ""))).exists():
                path.unlink(missing_ok=True)

    def _path(self, source: Source) -> Path:
        key = hashlib.sha256(str(source.path).encode("utf-8", "surrogateescape")).hexdigest()
        return self._root / f"{key[:32]}.json"
