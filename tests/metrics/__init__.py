"""Metrics as a real Prometheus parser reads them."""
