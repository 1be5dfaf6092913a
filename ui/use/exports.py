"""Use: downloads of the predictions and of the model."""

import streamlit as st

from ueo_core.export.open_clip_script import open_clip_script, weights_file
from ueo_core.export.sorted_folders import SortedExport, sorted_zip
from ueo_core.inference.adapter_file import ADAPTER_NAME, AdapterFile
from ueo_core.inference.predictions import Predictions
from ueo_core.runs.folder import RunFolder
from ueo_core.workspace.equivalent_command import use_commands
from ueo_core.workspace.prediction_history import ClassifiedSet
from ui.common.job_progress import show_job, start_job
from ui.common.network import public
from ui.common.text import markdown

JOB = "use.zip"
_BROWSER_MB = 500  # a download is held in the server's memory; larger ones are left on the disk


def images(
    adapter_file: AdapterFile, what: ClassifiedSet, predicted: Predictions, threshold: float
) -> None:
    """Downloads of the images shown, at the threshold chosen."""
    st.subheader("Export predictions")
    left, right = st.columns(2, border=True)
    with left:
        st.markdown(
            f"**Predictions as a table.** {len(predicted.files):,} rows: image, prediction, confidence, score, and "
            "whether it is unknown at the threshold above."
        )
        for_excel = st.checkbox(
            "For Excel",
            key="use.csv.excel",
            help="Begins the file with a byte-order mark, without which Excel shows names such as Löwe wrongly.",
        )
        st.download_button(
            "Download the CSV",
            data=lambda: predicted.csv(threshold, for_excel),
            file_name="predictions.csv",
            mime="text/csv",
            icon=":material/table_view:",
            key="use.csv",
            on_click="ignore",
        )
    with right:
        _folders(what, predicted, threshold)


def _folders(what: ClassifiedSet, predicted: Predictions, threshold: float) -> None:
    st.markdown(
        "**Images sorted into class folders**, with one for the unknown, as a zip of copies. Original "
        "files are used if they are still at the import location, otherwise the stored images, at "
        "training size. A table in the zip lists which is which."
    )
    if show_job(JOB, "images", _zipped):
        return
    st.button(
        "Make the zip",
        icon=":material/folder_zip:",
        key="use.zip.make",
        on_click=_begin,
        args=(what, predicted, threshold),
    )
    made = st.session_state.get("use.made")
    if made is None or not made.path.is_file():
        return
    size = made.path.stat().st_size / 1e6
    st.caption(
        f"{made.images:,} images, {made.unknown:,} of them unknown: {made.originals:,} original files, "
        f"{made.stored:,} stored images."
    )
    if made.failed:
        n, first = len(made.failed), made.failed[0]
        files = f"{n:,} file{'s' * (n != 1)}"
        st.warning(
            markdown(f"{files} could not be written, for example {first.name}: {first.reason}.")
        )
    if size <= _BROWSER_MB:
        st.download_button(
            f"Download the zip ({size:,.1f} MB)",
            data=lambda: made.path.open("rb"),
            file_name="sorted.zip",
            mime="application/zip",
            type="primary",
            key="use.zip.get",
            icon=":material/download:",
            on_click="ignore",
        )
    else:
        st.info(f"{size:,.0f} MB are too large for the browser; the zip is kept until tomorrow in:")
        st.code(public(str(made.path)), language=None)


def _begin(what: ClassifiedSet, predicted: Predictions, threshold: float) -> None:
    start_job(
        JOB,
        "Sorting the images",
        lambda job: sorted_zip(job, what.images(), predicted, threshold),
    )
    st.session_state.pop("use.made", None)


def _zipped(made: SortedExport) -> None:
    st.session_state["use.made"] = made


def _also(adapter_file: AdapterFile) -> str:
    """The weights that the script needs, as Markdown."""
    file = weights_file(adapter_file)
    return f" and a copy of `{markdown(file.name)}`" if file else ""


def model(adapter_file: AdapterFile) -> None:
    """Downloads of the model: the adapter, the script that uses it, the report."""
    from ueo_core.report.html import html_report

    st.subheader("Export the model")
    cells = st.columns(3, border=True)
    with cells[0]:
        st.markdown(
            f"**The adapted parameters** ({adapter_file.path.stat().st_size / 1e3:,.0f} kB, safetensors), with "
            "classes, prompt, settings, metrics and the fingerprints of data and weights. Import it here, "
            "or give it to `predict` in place of a run."
        )
        st.download_button(
            "Download the adapter",
            data=lambda: adapter_file.path.open("rb"),
            file_name=ADAPTER_NAME,
            mime="application/octet-stream",
            icon=":material/download:",
            key="use.delta.get",
            on_click="ignore",
        )
    with cells[1]:
        st.markdown(
            "**A script for plain open_clip** that loads the adapter and classifies images, without this "
            f"studio. Save it beside the adapter{_also(adapter_file)}; options name other places."
        )
        text = open_clip_script(adapter_file)
        st.download_button(
            "Download the script",
            data=text,
            file_name="use_adapter.py",
            mime="text/x-python",
            icon=":material/code:",
            key="use.snippet.get",
            on_click="ignore",
        )
    with cells[2]:
        st.markdown(
            "**Shareable report**: one HTML file with verdict, figures and images, which needs no "
            "network."
        )
        if adapter_file.run is None:
            st.caption("Only a run has a report; an adapter has no record of its training.")
        else:
            st.download_button(
                "Download the report",
                data=lambda: html_report(RunFolder(adapter_file.run)),
                file_name=f"report-{adapter_file.run.name}.html",
                mime="text/html",
                icon=":material/description:",
                key="use.report.get",
                on_click="ignore",
            )
    with st.expander("The script", icon=":material/code:", key="use.snippet"):
        st.code(text, language="python")
    with st.expander("Command-line equivalent", icon=":material/terminal:", key="use.command"):
        st.code(public(use_commands(adapter_file)), language="bash", wrap_lines=True)
