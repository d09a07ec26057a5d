"""The sync itself: a pure core, two clients, what it remembers, and the manager. Nothing here knows Motia."""
