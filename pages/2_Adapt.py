"""Adapt: choose backbone and settings, see what they cost, start or queue the run."""

import streamlit as st

from ui import adapt, adapt_start, shell

shell.bootstrap("Adapt")
st.title("Adapt")
dataset = adapt.dataset()
backbone, pretrained = adapt.backbone()
shell.teaching_note(backbone)
settings = adapt.settings(backbone, pretrained)
adapt_start.draw(dataset, settings)
