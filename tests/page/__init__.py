"""The control page: its endpoints over HTTP, and in a browser."""
