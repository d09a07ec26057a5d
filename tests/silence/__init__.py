"""No client's value where none belongs."""
