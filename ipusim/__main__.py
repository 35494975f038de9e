"""``python -m ipusim``: the command line."""

import sys

from ipusim.cli import main

sys.exit(main())
