"""Measurements against floors taken in the same run: `python -m bench [NAME...]`. What they show: docs/performance.md."""
