"""`python -m ueo_core …`"""

import sys

from ueo_core.cli.main import main

sys.exit(main())
