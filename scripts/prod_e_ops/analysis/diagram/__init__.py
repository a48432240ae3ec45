"""The picture of an environment, drawn from its synthesised JSON."""
