"""Commands about what is going on."""
