"""Which addresses of the outside are usable. Apart, so that reading the settings loads no HTTP client."""

from __future__ import annotations

from urllib.parse import urlsplit


def usable_address(text: str) -> bool:
    """Whether this is an absolute http(s) address without query and credentials."""
    try:
        parts = urlsplit(text)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    return whole and not (parts.query or parts.fragment or parts.username or parts.password)
