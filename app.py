"""Start the studio: `python app.py`. A Space runs this file, too."""

import sys

from studio.ui.serve import main

if __name__ == "__main__":
    sys.exit(main())
