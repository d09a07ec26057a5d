"""The promises of the sync, through the real manager and the real clients, over HTTP."""
