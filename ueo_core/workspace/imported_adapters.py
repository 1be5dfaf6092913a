"""Imported adapters: checked against their model, then stored like a run's own.

studio_home()/deltas/<digest>/delta.safetensors   the imported file
studio_home()/deltas/<digest>/where.json          backbone and weights on this machine
"""

import hashlib
import shutil
from pathlib import Path

from ueo_core.inference.adapter_file import ADAPTER_NAME, AdapterFile, read_adapter_file
from ueo_core.utils.background_jobs import Job
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import read_object, unique_name, write_bytes, write_json
from ueo_core.utils.paths import studio_home

MAX_BYTES = 64 * 10**6  # the affine of the largest open_clip tower and its prompt are 3 MB


def import_adapter(
    job: Job,
    data: bytes,
    backbone: str | None = None,
    pretrained: str | None = None,
    files: bool = True,
) -> str:
    """Check an adapter against its model and store it. → its id

    backbone, pretrained: where the model is on this machine, if not where the adapter says;
    files: whether that may be a file, which a viewer from elsewhere must not make us read.
    UserError when the file is no adapter, its model is not here, or it does not fit.
    """
    from ueo_core.inference.predict import load_model

    if len(data) > MAX_BYTES:
        raise UserError(
            f"Adapter: {len(data) / 1e6:,.0f} MB, over the limit of {MAX_BYTES / 1e6:.0f}; an adapter has a few "
            "hundred kilobytes, so choose the file that `export` or the Use page wrote."
        )
    id = hashlib.sha256(data).hexdigest()[:16]
    folder = _root() / id
    trial = _root() / f".{unique_name()}"
    trial.mkdir(parents=True)
    try:
        (trial / ADAPTER_NAME).write_bytes(data)
        job.begin("Loading the model to check it against")
        adapter_file = read_adapter_file(trial / ADAPTER_NAME, backbone, pretrained)
        job.check()
        if not files and _names_a_file(adapter_file):
            raise UserError(
                "Adapter: its model is a local file, and a server that others can reach does not read "
                "local files for them; use it from the command line."
            )
        load_model(adapter_file, "cpu")
        where = {"backbone": backbone, "pretrained": pretrained}
        write_json(trial / "where.json", where)
        if folder.exists():  # imported before: the place of its model may have changed since
            write_bytes(folder / ADAPTER_NAME, data)  # and the file may have been damaged
            write_json(folder / "where.json", where)
        else:
            trial.rename(folder)
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    return id


def imported_adapters() -> dict[str, AdapterFile]:
    """The imported adapters by id, the newest first; `damaged_adapters` has those that are left out."""
    return _all()[0]


def damaged_adapters() -> list[str]:
    """A sentence about every imported adapter that cannot be read."""
    return _all()[1]


def _all() -> tuple[dict[str, AdapterFile], list[str]]:
    found, damaged = {}, []
    paths = _root().glob(f"[0-9a-f]*/{ADAPTER_NAME}")
    for path in sorted(paths, key=lambda p: -p.stat().st_ctime):
        try:
            where = read_object(path.parent / "where.json")
            named = (where.get(key) for key in ("backbone", "pretrained"))
            backbone, pretrained = (name if isinstance(name, str) else None for name in named)
            found[path.parent.name] = read_adapter_file(path, backbone, pretrained)
        except UserError:
            damaged.append(
                f"Imported adapter “{path.parent.name[:6]}”: its file is damaged; import the adapter again."
            )
    return found, damaged


def remove_adapter(id: str) -> None:
    """Delete an imported adapter and its predictions."""
    if id in imported_adapters():
        shutil.rmtree(_root() / id, ignore_errors=True)


def _names_a_file(adapter_file: AdapterFile) -> bool:
    backbone, weights = (
        adapter_file.settings.backbone,
        Path(adapter_file.settings.pretrained or ""),
    )
    folder = Path(backbone).is_absolute() and not weights.name
    return backbone.endswith(".json") or folder or bool(weights.suffix or len(weights.parts) > 1)


def _root() -> Path:
    return studio_home() / "deltas"
