"""pyarrow, which is optional: it comes with the app, and alone with `pip install pyarrow`."""

from types import ModuleType

from ueo_core.utils.errors import UserError


def arrow(what: str) -> tuple[ModuleType, ModuleType]:
    """The modules pyarrow and pyarrow.parquet. what: needs them, for the UserError without them."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UserError(
            f"{what}: it needs the package pyarrow, which is not installed; run "
            "`pip install pyarrow`, or choose csv."
        ) from None
    return pyarrow, pyarrow.parquet
