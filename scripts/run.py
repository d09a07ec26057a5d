"""`make run`. Needs nothing but Python 3.11, Node.js 20 and make; see scripts/launch/."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # started by file name, Python knows scripts/ only

from scripts.launch.main import main

if __name__ == "__main__":
    sys.exit(main())
