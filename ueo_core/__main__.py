"""`python -m ueo_core …`"""

import sys

from ueo_core.cli import main

sys.exit(main())
