"""Images and repositories of an environment, as its stacks need them."""
