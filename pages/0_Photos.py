"""Photos: add them, name the classes, see them grouped by prediction, adapt, export."""

from ui.common.shell import bootstrap
from ui.photos import page

bootstrap("Photos")
page.show()
