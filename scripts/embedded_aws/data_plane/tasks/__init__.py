"""Tasks: their containers in order, their environment, their health and what they use."""
