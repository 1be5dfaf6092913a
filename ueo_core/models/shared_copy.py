"""A copy of a module that has its own structure but shares its weights with the original."""

import copy
from collections.abc import Iterable
from typing import TypeVar

from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def shared_copy(module: Module, own: Iterable[nn.Parameter] = ()) -> Module:
    """Copy a module; weights and buffers share memory with the original, except `own`.

    own: parameters of `module` that the copy gets as independent clones. All parameters of the
    copy are frozen. Every submodule is new, so modules and methods can be replaced in the copy
    without any effect on the original.
    """
    cloned = {id(p) for p in own}
    # deepcopy takes from the memo what it would otherwise copy.
    memo: dict[int, object] = {id(b): b for b in module.buffers()}
    for p in module.parameters():
        value = p.detach().clone() if id(p) in cloned else p.detach()
        memo[id(p)] = nn.Parameter(value, requires_grad=False)
    return copy.deepcopy(module, memo)
