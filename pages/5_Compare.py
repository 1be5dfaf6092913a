"""Runs side by side: what differs, who is better on the same images, whose answers changed."""

from ui import compare
from ui.shell import bootstrap

bootstrap("Compare")
compare.show()
