"""The public face: every name is there, and no module hides one."""

import pkgutil
from collections import Counter
from importlib import import_module

import ueo_core as core


def test_every_public_name_is_in_its_module():
    for module, names in core._PUBLIC.items():
        for name in names:
            assert getattr(core, name) is getattr(import_module(module), name), name


def test_every_public_name_has_one_module():
    named = Counter(name for names in core._PUBLIC.values() for name in names)
    assert [name for name, n in named.items() if n > 1] == []


def test_no_public_name_is_a_module():
    """An imported module becomes an attribute of its package, and would be found in the name's place."""
    assert {m.name for m in pkgutil.iter_modules(core.__path__)}.isdisjoint(core.__all__)
