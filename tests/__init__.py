"""Tests. Each is named after the promise it checks."""
