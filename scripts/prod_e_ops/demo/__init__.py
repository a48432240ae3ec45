"""The demo: an environment's life on the embedded AWS, step by step."""
