"""A file uploader; the browser packs a folder of many files into one zip."""

import streamlit as st

from ui.common.shell import ROOT

_PACK = st.components.v2.component(
    "ueo_pack",
    html='<div class="box" hidden role="status"><span class="says"></span> '
    "<button hidden>Cancel</button></div>",
    css="""
.box { font-size: 0.95rem; padding: 0.3rem 0; }
.box button { font: inherit; color: inherit; background: none; margin-left: 0.6rem; padding: 0.15rem 0.7rem;
  border: 1px solid color-mix(in srgb, currentColor 35%, transparent); border-radius: 0.5rem; cursor: pointer; }
""",
    js=(ROOT / "assets" / "upload" / "pack.js").read_text(encoding="utf-8"),
)


def ready() -> None:
    """Call at the end of a page with uploaders, so that files chosen before the script ran are packed."""
    _pack("ueo.pack")


def uploader(label: str, folder: bool, key: str) -> list:
    """The chosen files, of a folder or one by one; a single zip if they are many."""
    with st.container(gap=None):  # the script's messages appear beside the uploader
        given = st.file_uploader(
            label, accept_multiple_files="directory" if folder else True, key=key
        )
        _pack(f"{key}.pack")
    return given


def _pack(key: str) -> None:
    _PACK(key=key, data={"bytes": st.get_option("server.maxUploadSize") * 2**20})
