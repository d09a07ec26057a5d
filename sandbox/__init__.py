"""Advoware and EspoCRM as real HTTP servers on SQLite, with their quirks, faults on demand and edits by people."""
