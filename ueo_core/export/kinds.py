"""What a format is: one of predictions, or one of a model; and how it is written whole."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ueo_core.export.predicted_images import PredictedImages, Progress, TreeExport, Written
from ueo_core.export.trees import NotWritten, Writer, cannot_be_written, is_archive, whole_tree
from ueo_core.inference.adapter_file import AdapterFile
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import write_bytes


@dataclass(frozen=True, kw_only=True)
class Format:
    """What people are told of a format."""

    title: str
    about: str  # one sentence: what it is for
    files: str  # what it writes
    reader: str  # what reads it back in the tests
    name: str  # of the file inside a folder that is there, and of a download


@dataclass(frozen=True, kw_only=True)
class ModelFormat(Format):
    """One form of an adapted model: a file."""

    content: Callable[[AdapterFile, str], bytes]  # adapter, name of the file
    slow: bool = False  # it loads the model

    def write(self, out: Path, adapter_file: AdapterFile) -> None:
        """Write the whole file. UserError when it cannot be written, or is the adapter itself."""
        if out.exists() and out.samefile(adapter_file.path):
            raise UserError(
                f"Adapter “{out}”: it would be written over itself; choose another file."
            )
        _write_file(out, self.content(adapter_file, out.name))


@dataclass(frozen=True, kw_only=True)
class PredictionFormat(Format):
    """One form of predictions: one file (`content`), or many (`tree`)."""

    content: Callable[[PredictedImages], bytes] | None = None
    tree: Callable[[TreeExport], None] | None = None
    # How files go into a folder that is there; None: they only make a new one, or an archive.
    beside: Callable[[Path], Writer] | None = None

    def write(
        self,
        out: Path,
        batch: PredictedImages,
        progress: Progress = lambda done, total: None,
        name: str | None = None,
    ) -> Written:
        """Write all of it, or nothing: one file; or a new folder, an archive if `out` ends in .zip.

        A file that cannot be written is listed with the reason, and the others are written.
        `progress` may raise to stop early; nothing is left on disk then. name: of the folder that
        an archive is unpacked to, if it is not that of `out`. UserError when `out` cannot be written.
        """
        made = Written(out, len(batch), batch.predictions.unknown_files(batch.threshold))
        if self.content:
            _write_file(out, self.content(batch))
            return made
        if self.beside and out.is_dir():
            export = TreeExport(batch, self.beside(out), out.name, progress)
            self._fill(export, out)
        else:
            own = out.stem if is_archive(out) else out.name
            with whole_tree(out) as writer:
                export = TreeExport(batch, writer, name or own, progress)
                self._fill(export, out)
        return replace(
            made, originals=export.originals, stored=export.stored, failed=tuple(export.failed)
        )

    def _fill(self, export: TreeExport, out: Path) -> None:
        """Write the files. UserError where none could be, or a file that lists them could not."""
        assert self.tree
        try:
            self.tree(export)
        except NotWritten as error:
            reason = str(error)
        else:
            if not export.failed or len(export.failed) < len(export.batch):
                return
            reason = export.failed[0].reason
        raise UserError(
            f"Export “{out}”: no file could be written ({reason}); choose another place."
        )


def _write_file(out: Path, data: bytes) -> None:
    try:
        write_bytes(out, data)
    except OSError as error:
        raise cannot_be_written(out, error) from None
