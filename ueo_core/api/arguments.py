"""Errors of the interface speak of arguments, not of pages or of options of the command line."""

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar

from ueo_core.utils.errors import UserError

Function = TypeVar("Function", bound=Callable[..., Any])
_OPTION = re.compile(r"--([a-z][a-z-]*)")
_PAGES = re.compile(r" on the (Data|Adapt|Use|Live|Inspect) page")


def in_arguments(message: str) -> str:
    """A sentence with `--batch-size` as `batch_size`, and no page."""
    message = _OPTION.sub(lambda m: m[1].replace("-", "_"), message)
    return _PAGES.sub("", message)


def speaks_of_arguments(function: Function) -> Function:
    """Let a function raise its UserErrors in words of arguments."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except UserError as error:
            raise UserError(in_arguments(str(error))) from error

    return wrapped  # type: ignore[return-value]
