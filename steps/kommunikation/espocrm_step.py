"""EspoCRM, where people edit, in the picture of the flow; nothing runs here."""

from __future__ import annotations

from typing import Any

config: dict[str, Any] = {
    "type": "noop",
    "name": "EspoCRM",
    "description": "Das CRM der Kanzlei: Menschen ändern E-Mail-Adressen und Nummern",
    "virtualEmits": ["espocrm.webhook", "espocrm.geaendert"],
    "virtualSubscribes": [],
    "flows": ["kommunikation"],
}
