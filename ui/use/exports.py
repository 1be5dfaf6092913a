"""Use: the export of predictions and of the model, in one of the formats."""

from pathlib import Path
from typing import Any

import streamlit as st

from ueo_core.export.downloads import export_model, export_predictions
from ueo_core.export.formats import MODELS, PREDICTIONS
from ueo_core.export.kinds import Format
from ueo_core.export.open_clip_script import open_clip_script, weights_file
from ueo_core.export.predicted_images import PredictedImages, Written
from ueo_core.inference.adapter_file import AdapterFile
from ueo_core.inference.predictions import Predictions
from ueo_core.runs.folder import RunFolder
from ueo_core.workspace.equivalent_command import use_commands
from ueo_core.workspace.prediction_history import ClassifiedSet, features_of
from ui.common.job_progress import show_job, start_job
from ui.common.network import public
from ui.common.text import markdown

JOB = "use.export"
_BROWSER_MB = 500  # a download is held in the server's memory; larger ones are left on the disk
REPORT = "report"
_REPORT = "One HTML file of the run with its verdict, figures and images; it needs no network."


def export(
    adapter_file: AdapterFile,
    what: ClassifiedSet | None = None,
    predicted: Predictions | None = None,
    threshold: float = 0.0,
) -> None:
    """Choose a format and download it; without predictions, one of the model."""
    st.subheader("Export")
    formats: dict[str, Format] = {**(PREDICTIONS if predicted else {}), **MODELS}
    names = [*formats, *([REPORT] if adapter_file.run else [])]
    titles = {name: f.title for name, f in formats.items()} | {REPORT: "Shareable report (HTML)"}
    # A key of its own without predictions, so that the table is offered first once there are some.
    key = "use.format" if predicted else "use.format.model"
    if st.session_state.get(key) not in names:
        st.session_state.pop(key, None)
    with st.container(border=True):
        name = st.selectbox("Format", names, format_func=titles.get, key=key, width=420)
        st.markdown(formats[name].about if name in formats else _REPORT)
        if name == REPORT:
            _report(adapter_file)
        elif name in MODELS:
            _model(adapter_file, name)
        else:
            _predictions(adapter_file, what, predicted, threshold, name)
    with st.expander("Command-line equivalent", icon=":material/terminal:", key="use.command"):
        st.code(public(use_commands(adapter_file, name)), language="bash", wrap_lines=True)


def _predictions(
    adapter_file: AdapterFile,
    what: ClassifiedSet,
    predicted: Predictions,
    threshold: float,
    name: str,
) -> None:
    made = PREDICTIONS[name]
    if made.content:
        st.caption(f"{len(predicted.files):,} rows, at the threshold above.")
        table = PredictedImages(predicted, threshold, adapter_file.title)
        for_excel = name == "csv" and st.checkbox(
            "For Excel",
            key="use.csv.excel",
            help="Begins the file with a byte-order mark, without which Excel shows names such as Löwe wrongly.",
        )
        _download(
            name,
            lambda: predicted.csv(threshold, True) if for_excel else made.content(table),
            made.name,
        )
        return
    _made(
        name,
        (adapter_file.digest, what.id, threshold),
        lambda job: export_predictions(
            job,
            name,
            what.images(),
            predicted,
            threshold,
            adapter_file.title,
            features_of(adapter_file, what),
        ),
    )


def _model(adapter_file: AdapterFile, name: str) -> None:
    made = MODELS[name]
    if made.slow:
        _made(name, (adapter_file.digest,), lambda job: export_model(job, name, adapter_file))
        return
    if name == "script":
        file = weights_file(adapter_file)
        also = f" and a copy of `{markdown(file.name)}`" if file else ""
        st.caption(f"Save it beside the adapter{also}; options name other places.")
    _download(name, lambda: made.content(adapter_file, made.name), made.name)
    if name == "script":
        with st.expander("The script", icon=":material/code:", key="use.snippet"):
            st.code(open_clip_script(adapter_file), language="python")


def _report(adapter_file: AdapterFile) -> None:
    from ueo_core.report.html import html_report

    folder = RunFolder(adapter_file.run)
    _download(REPORT, lambda: html_report(folder), f"report-{folder.path.name}.html")


def _download(name: str, data: Any, file_name: str, label: str = "Download") -> None:
    st.download_button(
        label,
        data=data,
        file_name=file_name,
        type="primary",
        icon=":material/download:",
        key=f"use.get.{name}",
        on_click="ignore",
    )


def _made(name: str, of: tuple, work: Any) -> None:
    """Make a format as a job, then offer it. of: what it is made of, so that none is offered for another."""
    if show_job(JOB, "files", _keep):
        return
    key, made = st.session_state.get("use.made", (None, None))
    path = getattr(made, "path", made)
    if key != (name, *of) or not path.is_file():
        st.button(
            "Export",
            type="primary",
            icon=":material/output:",
            key="use.export.make",
            on_click=start_job,
            args=(JOB, "Exporting", lambda job: ((name, *of), work(job))),
        )
        return
    if isinstance(made, Written):
        _told(made)
    _offer(name, path)


def _keep(made: tuple) -> None:
    st.session_state["use.made"] = made


def _told(made: Written) -> None:
    """How many files were written of what, and which were not."""
    text = f"{made.images - len(made.failed):,} files, {made.unknown:,} of them unknown"
    if made.originals or made.stored:
        text += f": {made.originals:,} original files, {made.stored:,} stored images"
    st.caption(f"{text}.")
    if made.failed:
        n, first = len(made.failed), made.failed[0]
        files = f"{n:,} file{'s' * (n != 1)}"
        st.warning(
            markdown(f"{files} could not be written, for example {first.name}: {first.reason}.")
        )


def _offer(name: str, path: Path) -> None:
    size = path.stat().st_size / 1e6
    if size <= _BROWSER_MB:
        file_name = ({**PREDICTIONS, **MODELS})[name].name
        _download(name, lambda: path.open("rb"), file_name, f"Download ({size:,.1f} MB)")
    else:
        st.info(
            f"{size:,.0f} MB are too large for the browser; the file is kept until tomorrow in:"
        )
        st.code(public(str(path)), language=None)
