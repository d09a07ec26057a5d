"""`httpx` without its command line program, which would load click, pygments and rich wherever they are installed.

A step is one process, and that program takes longer to load than the rest of httpx together.
"""

from __future__ import annotations

import sys

# None makes the import of the part fail; httpx is made for that, its program is an extra.
_PROGRAM = "httpx._main"
_absent = "httpx" not in sys.modules
if _absent:
    sys.modules[_PROGRAM] = None  # type: ignore[assignment]  # documented, but typeshed does not know it
try:
    import httpx
finally:
    if _absent:
        del sys.modules[_PROGRAM]

__all__ = ["httpx"]
