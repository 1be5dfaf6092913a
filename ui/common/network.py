"""Who can reach the server, and what they are told of this machine's folders."""

import re

import streamlit as st

_ROOT = r"(?:[A-Za-z]:[\\/]|[\\/])"
# A path in quotes or parentheses may hold spaces; a bare one ends at the first.
_ENCLOSED = re.compile(rf"([“\"'(‘])({_ROOT}[^”\"')’\n]*[^”\"')’\n\\/])[\\/]?(?=[”\"')’])")
_BARE = re.compile(rf"(?<![\w:\\/.“\"'(‘])({_ROOT}(?:[^\s\\/“”\"'()]+[\\/])+[^\s\\/“”\"'():;,]*)")


def local() -> bool:
    """Whether viewers may name files: only if just this machine can reach the server."""
    return st.get_option("server.address") in ("localhost", "127.0.0.1", "::1")


def public(text: str) -> str:
    """The text as viewers may read it: on a network, files by their names, without their folders."""
    if local():
        return text
    return _BARE.sub(lambda m: _name(m[1]), _ENCLOSED.sub(lambda m: m[1] + _name(m[2]), text))


def _name(path: str) -> str:
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]
