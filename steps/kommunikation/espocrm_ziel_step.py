"""EspoCRM, where the sync writes, in the picture of the flow; nothing runs here."""

from __future__ import annotations

from typing import Any

config: dict[str, Any] = {
    "type": "noop",
    "name": "EspoCRM (Ziel)",
    "description": "Hier kommt an, was in Advoware geändert wurde",
    "virtualEmits": [],
    "virtualSubscribes": ["espocrm.geschrieben", "espocrm.hinweis"],
    "flows": ["kommunikation"],
}
