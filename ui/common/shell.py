"""What every page starts with: page settings, navigation, the runs and jobs of this process."""

import asyncio
import atexit
import contextlib
import gc
import sys
import threading
import types
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import cycle
from pathlib import Path

import streamlit as st

from ueo_core.drawings.nouns import NOUNS
from ueo_core.runs.manager import Manager
from ueo_core.runs.notices import Notice, notices
from ueo_core.utils.background_jobs import Jobs
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import NO_LOCKS, locks_missing
from ueo_core.utils.paths import runs_root
from ueo_core.workspace.upload import ROOTS, clear_spool, roots
from ui.common.network import local
from ui.common.text import escaped, markdown

ROOT = Path(__file__).resolve().parents[2]
ICON = ROOT / "assets" / "icon.png"  # a named icon would be fetched from the network
PAGES = (
    ("app.py", "Start", ":material/home:", None),
    ("pages/0_Photos.py", "Photos", ":material/photo_library:", "data"),
    ("pages/1_Data.py", "Data", ":material/folder_open:", "data"),
    ("pages/2_Adapt.py", "Adapt", ":material/tune:", "data"),
    ("pages/3_Live.py", "Live", ":material/monitoring:", "run"),
    ("pages/4_Inspect.py", "Inspect", ":material/search:", "run"),
    ("pages/5_Compare.py", "Compare", ":material/compare_arrows:", "runs"),
    ("pages/6_Use.py", "Use", ":material/output:", "run"),
    ("pages/7_Learn.py", "Learn", ":material/school:", None),
)
# A module without a file: Streamlit's reload and a second import of this one leave it alone, so
# that there is one worker thread a process, whatever happens to the code above it.
_PROCESS = "_ueo_studio_process"
_COOKIE = "_streamlit_xsrf"  # the server's own, random, one a browser
_STATES = {  # state → heading for the run that is named, word for the others; most urgent first
    "running": ("Running", "running"),
    "stopping": ("Stopping", "stopping"),
    "queued": ("Queued", "queued"),
    "failed": ("Run failed", "failed"),
    "paused": ("Run paused", "paused"),
    "finished": ("Run finished", "finished, not viewed yet"),
}
REAL_CLIP = "RN50-quickgelu"  # the full-size CLIP that pages suggest
SIDEBAR = 230  # pixels
_NEW_MODULES = 200  # more than this since the last freeze: something large was imported

_STYLE = """<style>
[data-testid="stMainBlockContainer"] { max-width: 1560px; padding-top: 3.1rem; }
[data-testid="stHeader"] { height: 2.9rem; min-height: 2.9rem; }
.st-key-ueo-heading { max-width: calc(100% - 2.5rem); } /* the menu is at the right */
.st-key-ueo-heading h2 { padding: 0; font-size: 1.7rem; }
.st-key-ueo-heading [data-testid="stCaptionContainer"] { padding-bottom: 0.25rem; }
@media (max-width: 1400px) {
  [data-testid="stMainBlockContainer"] { padding-left: 2.5rem; padding-right: 2.5rem; }
}
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] h1 { font-size: 1.9rem; } }
[data-testid="stMetricValue"] { font-variant-numeric: tabular-nums; }
.ueo-brand { font-weight: 700; font-size: 1.3rem; letter-spacing: -0.01em; }
.ueo-brand span { color: #0072B2; }
.st-key-ueo-notices [data-testid="stText"] { font-size: 0.85rem; line-height: 1.35; }
.st-key-watch button { padding: 0.7rem 1.6rem; }
.st-key-watch button p { font-size: 1.25rem; font-weight: 600; }
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
</style>"""


def bootstrap(title: str) -> None:
    """The first line of every page: page settings, navigation and the state of the runs."""
    st.set_page_config(
        page_title=f"{title} · UEO Studio",
        page_icon=str(ICON),
        layout="wide",
        initial_sidebar_state=SIDEBAR,
    )
    st.html(_STYLE)
    with st.sidebar:
        _brand(title)
        for path, label, icon, keep in PAGES:
            if (ROOT / path).is_file():
                st.page_link(path, label=label, icon=icon, query_params=_kept(keep))
    if title not in ("Live", "Photos"):  # their run is known only later
        run_notices()
    _freeze_imports()
    if locks_missing() and not st.session_state.get("ueo.locks"):
        st.session_state["ueo.locks"] = True  # said once to every viewer
        st.warning(f"{NO_LOCKS}.", icon=":material/lock_open:")
    if text := st.session_state.pop("ueo.problem", None):
        problem(text)


def manager() -> Manager:
    """This process's runs; they end with a checkpoint when the process ends."""
    process, root = _process(), runs_root()
    with process.lock:
        if root not in process.managers:
            made = Manager(root)
            # For a process without the server, whose end is `served`.
            atexit.register(made.shutdown)
            process.managers[root] = made
        return process.managers[root]


def jobs() -> Jobs:
    """This process's short background jobs: reading images, drawing the sample, time estimates."""
    process = _process()
    with process.lock:
        if process.jobs is None:
            clear_spool()
            process.jobs = Jobs()
        return process.jobs


def run_notices(shown: str | None = None) -> None:
    """A card in the sidebar on active runs, and on those that paused or ended and were not viewed.

    shown: the run that the page itself shows.
    """
    found = _notices(shown)
    with st.sidebar:
        if any(n.under_way for n in found):
            st.fragment(_notices_card, run_every=2.0, key="ueo.notices")(shown)
        elif found:
            _notices_card(shown)


def viewer() -> str:
    """An id of this browser, from its cookie, so that a refresh is the same viewer."""
    return _browser(st.context.cookies.get(_COOKIE)) or st.session_state.setdefault(
        "ueo.viewer", uuid.uuid4().hex
    )


def _browser(cookie: str | None) -> str | None:
    """The token in the cookie, `2|mask|token under the mask|time`; None where there is none.

    Every page load masks the same token anew, so the cookie's text identifies no browser.
    """
    try:
        _, mask, masked, _ = (cookie or "").split("|")
        mask, masked = bytes.fromhex(mask), bytes.fromhex(masked)
    except ValueError:
        return None
    return bytes(b ^ m for b, m in zip(masked, cycle(mask), strict=False)).hex() or None


def shutdown() -> None:
    """Pause what runs, after a checkpoint, and forget the runs and jobs of this process."""
    process = sys.modules.pop(_PROCESS, None)
    if process is None:
        return
    for made in process.managers.values():
        atexit.unregister(made.shutdown)
        made.shutdown()
    if process.jobs is not None:
        process.jobs.end()


@contextlib.asynccontextmanager
async def served(app: object) -> AsyncIterator[None]:
    """The life of the server: when it ends in order, so do its runs."""
    yield
    await asyncio.to_thread(shutdown)


def go_to_run(run: str, page: str = "pages/3_Live.py") -> None:
    """Switch to a page that shows a run."""
    st.switch_page(page, query_params={"run": run})


def parameter(name: str) -> str | None:
    """`run` or `data` from the URL, else as this session last had it; a link reproduces the view."""
    key = f"ueo.{name}"
    if name in st.query_params:
        st.session_state[key] = st.query_params[name]
    elif st.session_state.get(key):
        st.query_params[name] = st.session_state[key]
    return st.session_state.get(key)


def set_parameter(name: str, value: str | None) -> None:
    """Put `run` or `data` into the URL and this session, or take it out."""
    st.session_state[f"ueo.{name}"] = value
    if value is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = value


def problem(message: object) -> None:
    """Show a sentence for a person; names in it that look like Markdown stay names."""
    st.error(markdown(str(message)))


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Show a UserError as a sentence in its place, and go on after the block."""
    try:
        yield
    except UserError as error:
        problem(error)


def attempt(action: Callable[..., object], *arguments: object) -> None:
    """In a callback: act, and let the page show the sentence where that is not possible."""
    try:
        action(*arguments)
    except UserError as error:
        st.session_state["ueo.problem"] = str(error)


def damaged(sentences: Iterable[str]) -> None:
    """Name what cannot be read and is left out of a list; the rest of the page goes on."""
    for sentence in sentences:
        st.warning(markdown(sentence), icon=":material/warning:")


def paths_allowed() -> bool:
    """Whether the app may read paths of this machine; if not, draws why and how to allow it."""
    if not local():
        st.info(
            "Reading paths is disabled because other machines can reach this server. Upload a folder or "
            "a zip file instead."
        )
        return False
    if not roots():
        st.info(
            "Reading paths is disabled until you name the folders that the app may read. Restart it "
            "with:"
        )
        st.code(f"{ROOTS}=/path/to/photos streamlit run app.py", language="bash")
        return False
    return True


def dark() -> bool:
    """Whether the viewer sees the dark theme."""
    return st.context.theme.type == "dark"


def teaching_note(backbone: str) -> None:
    """For a Drawings model, what it is and a link to a full-size CLIP; nothing for others."""
    if not backbone.startswith("drawings-"):
        return
    with st.container(border=True):
        st.markdown(
            ":material/school: **This is a teaching model with a small vocabulary.** It was "
            f"trained only on drawings of {len(NOUNS)} objects, so that a run takes about a minute on "
            "any computer. For photos, use a full-size CLIP."
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.popover("Show vocabulary", icon=":material/dictionary:"):
                st.write(", ".join(name.replace("_", " ") for name in NOUNS))
            st.page_link(
                "pages/2_Adapt.py",
                label="Use a full-size CLIP",
                icon=":material/arrow_forward:",
                query_params={"backbone": REAL_CLIP} | (_kept("data") or {}),
            )


def _brand(title: str) -> None:
    """The name above the links, and a script that scrolls a new page, or another run on Live, to its
    top: the browser would keep the previous page's position."""
    place = escaped(f"{title} {(_kept('run') or {}).get('run') if title == 'Live' else ''}")
    st.html(
        f'<div class="ueo-brand" data-place="{place}">UEO <span>Studio</span></div>'
        "<script>document.querySelector('[data-testid=stMain]')?.scrollTo(0, 0)</script>",
        unsafe_allow_javascript=True,
    )


def _kept(name: str | None) -> dict[str, str] | None:
    """The query parameters that a link to a page keeps."""
    value = st.query_params.get(name) or st.session_state.get(f"ueo.{name}") if name else None
    return {name: value} if value else None


def _notices(shown: str | None) -> list[Notice]:
    """Active runs and those not viewed in their present state, most urgent first."""
    found = [n for n in notices(manager()) if n.run != shown and (n.under_way or not n.seen)]
    return sorted(found, key=lambda n: list(_STATES).index(n.state))


def _notices_card(shown: str | None) -> None:
    found = _notices(shown)
    if not found:
        return
    notice, others = found[0], Counter(_STATES[n.state][1] for n in found[1:])
    with st.container(border=True, key="ueo.notices"):
        st.markdown(f"**{_STATES[notice.state][0]}**")
        if notice.state in ("running", "stopping"):
            st.progress(_live_share(notice))
        st.text(notice.title)
        st.page_link(
            "pages/3_Live.py" if notice.state != "finished" else "pages/4_Inspect.py",
            label="Watch run" if notice.under_way else "View run",
            icon=":material/arrow_forward:",
            query_params={"run": notice.run},
        )
        if others:
            st.caption("Also " + ", ".join(f"{n} {word}" for word, n in others.items()))


def _live_share(notice: Notice) -> float:
    now = manager().snapshot(notice.run)
    return min(1.0, now.step / now.steps) if now.steps else 0.0


def _freeze_imports() -> None:
    """Exclude what torch imported from every later garbage collection."""
    process = _process()
    if len(sys.modules) - process.frozen > _NEW_MODULES:
        gc.freeze()
        process.frozen = len(sys.modules)


def _process() -> types.ModuleType:
    fresh = types.ModuleType(_PROCESS)
    fresh.lock, fresh.managers, fresh.jobs = threading.Lock(), {}, None
    fresh.frozen = len(sys.modules)
    return sys.modules.setdefault(_PROCESS, fresh)
