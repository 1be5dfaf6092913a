"""Use the adapted model: classify new images, reject unknown ones, export the result."""

from ui.common import shell
from ui.use import page

shell.bootstrap("Use")

page.show()
