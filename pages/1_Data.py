"""Data: add images, name the classes, see what could be read and what could not."""

import streamlit as st

from ui.common import shell, uploads
from ui.data import header, images, labels, names, report, sources, store

shell.bootstrap("Data")
st.title("Data")
st.markdown("Your images stay on this machine, in the studio's own folder.")

sources.draw()
dataset = header.chosen()
if dataset:
    header.header(dataset)
    tabs = {
        "Class names": names.names,
        "Labels for scoring": labels.labels,
        "Test set": labels.test_set,
        "Images": images.draw,
        "Intake report": report.draw,
    }
    for tab, draw in zip(st.tabs(list(tabs), key="data.tabs"), tabs.values(), strict=True):
        with tab:
            draw(dataset)
store.draw()
uploads.ready()
