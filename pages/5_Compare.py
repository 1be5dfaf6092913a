"""Compare runs: settings, metrics on the same images, and predictions that differ."""

from ui.common.shell import bootstrap
from ui.compare import page

bootstrap("Compare")
page.show()
