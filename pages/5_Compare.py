"""Runs side by side: what differs, who is better on the same images, whose answers changed."""

from ui.common.shell import bootstrap
from ui.compare import page

bootstrap("Compare")
page.show()
