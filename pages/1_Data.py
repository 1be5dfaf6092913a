"""Data: bring images, name the classes, see honestly what could be used."""

import streamlit as st

from ui.common import shell, uploads
from ui.data import header, sources, store
from ui.data import images as data_images
from ui.data import labels as data_labels
from ui.data import names as data_names
from ui.data import report as data_report

shell.bootstrap("Data")
st.title("Data")
st.markdown(
    "Your images stay on this machine: they are decoded into a folder of the studio, nowhere else."
)

sources.draw()
dataset = header.chosen()
if dataset:
    header.header(dataset)
    names, labels, test_set, images, report = st.tabs(
        ["Class names", "Labels for scoring", "Test set", "Images", "Intake report"],
        key="data.tabs",
    )
    with names:
        data_names.names(dataset)
    with labels:
        data_labels.labels(dataset)
    with test_set:
        data_labels.test_set(dataset)
    with images:
        data_images.draw(dataset)
    with report:
        data_report.draw(dataset)
store.draw()
uploads.ready()
