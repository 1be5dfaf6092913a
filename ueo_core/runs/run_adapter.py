"""The adapter of a run that predictions, exports and pages use."""

from pathlib import Path

from ueo_core.inference.adapter_file import (
    ADAPTER_NAME,
    GUARDED,
    AdapterFile,
    read_adapter_file,
)
from ueo_core.runs.folder import RunFolder
from ueo_core.utils.errors import UserError


def adapter_of_run(
    source: Path,
    backbone: str | None = None,
    pretrained: str | None = None,
    guarded: bool = False,
) -> AdapterFile:
    """The adapter of a run's folder, or an adapter file as it is.

    Of a run: its last epoch, or with `guarded` the model that the safety check recommends, which
    may be the same. backbone, pretrained: as in `read_adapter_file`. UserError if there is no such
    run, it has no result yet, or the file is not an adapter of the studio.
    """
    source = Path(source)
    if source.is_file():
        return read_adapter_file(source, backbone, pretrained)
    folder = RunFolder.open(source)
    if not (source / ADAPTER_NAME).is_file():
        if folder.state["state"] == "finished":
            raise UserError(
                f"Run “{folder.id}”: its file {ADAPTER_NAME} is missing; train it longer by one epoch, "
                "which writes it again, or start the run again."
            )
        raise UserError(
            f"Run “{folder.id}”: it has no result yet (state: {folder.state['state']}); resume it first."
        )
    guarded = guarded and (source / GUARDED).is_file()
    path = source / (GUARDED if guarded else ADAPTER_NAME)
    return read_adapter_file(path, backbone, pretrained, run=source)
