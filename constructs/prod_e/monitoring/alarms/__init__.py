"""Alarms of a service, its load balancer and its database, and from which values on they ring."""
