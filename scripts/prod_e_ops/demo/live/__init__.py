"""What happens to a service that runs."""
