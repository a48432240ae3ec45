"""The app: from settings to the stacks of an environment, and their synthesis."""
