"""The command line: `scripts/kommunikation.py`. Logic is in `services/`; here is asking and showing."""
