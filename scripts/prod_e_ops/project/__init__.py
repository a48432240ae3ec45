"""The project's folder: environments, synthesised stacks, settings files."""
