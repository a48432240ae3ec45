"""The diagram of an environment, drawn from its synthesised JSON."""
