"""The size of the image store on the disk, and deleting what nothing uses."""

import time

import streamlit as st

from ueo_core.data.store import Store
from ueo_core.utils.errors import UserError
from ueo_core.utils.paths import store_root
from ueo_core.workspace.dataset import unused_sets
from ui.common import shell


def draw() -> None:
    """Closed by default: measuring a large store takes a moment."""
    st.divider()
    if not st.toggle("Show the contents of the image store", key="data.store"):
        return
    store = Store(store_root())
    try:
        usage, sets, unused = store.usage(), store.sets(), unused_sets(store)
    except UserError as error:
        shell.damaged([str(error)])
        return
    idle = {info.id for info in unused}
    total, free, waste = st.columns(3)
    total.metric("In the store", f"{usage.total / 1e6:,.0f} MB")
    free.metric("Free on the disk", f"{usage.free / 1e9:,.1f} GB")
    waste.metric("Not in any set", f"{usage.unreferenced / 1e6:,.0f} MB")
    st.dataframe(
        [
            {
                "Images from": info.name,
                "Images": info.n,
                "MB": round(info.bytes / 1e6, 1),
                "Last used": time.strftime("%Y-%m-%d %H:%M", time.localtime(info.last_used)),
                "In use": info.id not in idle,
            }
            for info in sets
        ],
        hide_index=True,
    )
    chosen = list(idle)
    if unused:
        titles = {i.id: f"{i.name} · {i.n:,} images · {i.bytes / 1e6:,.1f} MB" for i in unused}
        chosen = st.multiselect(
            "Sets that no dataset, run or prediction uses; remove those that you want to keep",
            list(titles),
            default=list(titles),
            format_func=titles.get,
            key=f"data.unused.{'.'.join(titles)}",
        )
    st.button(
        "Delete unused images",
        icon=":material/cleaning_services:",
        on_click=_clean,
        args=(chosen,),
        disabled=not (chosen or usage.unreferenced),
        help="The sets above, and files that are not in any set.",
    )
    if outcome := st.session_state.pop("data.cleaned", None):
        (st.success if outcome[0] else shell.problem)(outcome[1])


def _clean(chosen: list[str]) -> None:
    store = Store(store_root())
    try:
        for info in unused_sets(store):  # another session may use one by now
            if info.id in chosen:
                store.delete(info.id)
        outcome = True, f"{store.prune() / 1e6:,.1f} MB freed."
    except UserError as error:
        outcome = False, str(error)
    st.session_state["data.cleaned"] = outcome
