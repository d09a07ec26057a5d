"""The Advoware REST API as a local HTTP server: Beteiligte and their Kommunikation entries, with all known quirks."""
