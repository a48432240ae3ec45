"""What synthesised JSON says, without AWS."""
