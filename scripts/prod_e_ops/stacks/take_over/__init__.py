"""What AWS has of an environment and no state names: found by its tag, taken over or told."""
