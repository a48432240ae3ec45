"""The proof: an environment's life in the user's own account, from its plan to its end."""
