"""The sync by hand: see, understand, decide, undo. `python_modules/bin/python scripts/kommunikation.py --help`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # started by file name, Python knows scripts/ only

from scripts.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
