"""Adapt: choose backbone and settings, see the cost, and start or queue the run."""

import streamlit as st

from ui.adapt import page, start
from ui.common import shell

shell.bootstrap("Adapt")
st.title("Adapt")
dataset = page.dataset()
backbone, pretrained = page.backbone(dataset)
settings = page.settings(backbone, pretrained)
start.draw(dataset, settings)
