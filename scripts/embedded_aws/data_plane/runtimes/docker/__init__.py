"""Tasks as containers of a Docker daemon."""
