"""Use the adapted model: classify new images, reject the unknown, take the result away."""

from ui.common import shell
from ui.use import page

shell.bootstrap("Use")

page.show()
