"""The method as something one can touch: for a projector, and for the phones in the room."""

from ui.common.shell import bootstrap
from ui.learn import page

bootstrap("Learn")

page.page()
