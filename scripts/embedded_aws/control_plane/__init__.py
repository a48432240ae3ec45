"""The control plane: AWS's API, which keeps what is asked for and says what became of it."""
