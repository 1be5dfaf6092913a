"""The method as something one can touch: for a projector, and for the phones in the room."""

from ui import learn
from ui.shell import bootstrap

bootstrap("Learn")

learn.page()
