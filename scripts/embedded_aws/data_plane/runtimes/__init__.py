"""Runs a task's containers: as processes, or by a Docker daemon."""
