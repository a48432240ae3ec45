"""The Application Load Balancer: the only way in from the internet."""
