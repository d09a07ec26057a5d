"""Advoware, where people edit, in the picture of the flow; nothing runs here."""

from __future__ import annotations

from typing import Any

config: dict[str, Any] = {
    "type": "noop",
    "name": "Advoware",
    "description": "Die Kanzleisoftware: Menschen ändern E-Mail-Adressen und Nummern",
    "virtualEmits": ["advoware.meldung", "advoware.geaendert", "advoware.leere_eintraege"],
    "virtualSubscribes": [],
    "flows": ["kommunikation"],
}
