"""Advoware, where the sync writes, in the picture of the flow; nothing runs here."""

from __future__ import annotations

from typing import Any

config: dict[str, Any] = {
    "type": "noop",
    "name": "Advoware (Ziel)",
    "description": "Hier kommt an, was in EspoCRM geändert wurde",
    "virtualEmits": [],
    "virtualSubscribes": ["advoware.geschrieben", "advoware.aufgeraeumt"],
    "flows": ["kommunikation"],
}
