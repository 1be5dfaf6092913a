"""Photos: bring them, name the classes, watch them find their groups, take the result away."""

from ui.common.shell import bootstrap
from ui.photos import page

bootstrap("Photos")
page.show()
