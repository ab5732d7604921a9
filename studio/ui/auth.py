"""The address that `python -m studio accounts` had before: `python -m studio.ui.auth`."""

import sys

from studio.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["accounts", *sys.argv[1:]]))
