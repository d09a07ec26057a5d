"""The gate under attack, and outgoing TLS."""
