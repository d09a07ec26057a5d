"""What people do by hand: undo, decide, try again, forget; the command line; shadow mode."""
