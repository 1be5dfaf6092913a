"""Data: bring images, name the classes, see honestly what could be used."""

import streamlit as st

from ui import (
    data_images,
    data_labels,
    data_names,
    data_report,
    data_set,
    data_sources,
    data_store,
    shell,
    uploads,
)

shell.bootstrap("Data")
st.title("Data")
st.markdown(
    "Your images stay on this machine: they are decoded into a folder of the studio, nowhere else."
)

data_sources.draw()
dataset = data_set.chosen()
if dataset:
    data_set.header(dataset)
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
data_store.draw()
uploads.ready()
