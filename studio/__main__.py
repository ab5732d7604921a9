"""`python -m studio`."""

import sys

from studio.cli.main import main

sys.exit(main())
