"""Use the adapted model: classify new images, reject the unknown, take the result away."""

from ui import shell, use

shell.bootstrap("Use")

use.show()
