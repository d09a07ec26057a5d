"""Tests of what the sync remembers."""
