"""Chaos on the real thing: real Motia, real Redis, real HTTP; see `tests.chaos.run`."""
