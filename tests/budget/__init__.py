"""What one call of a step costs, in counts."""
