"""The method as an interactive explanation, for projectors and phones."""

from ui.common.shell import bootstrap
from ui.learn import page

bootstrap("Learn")

page.page()
