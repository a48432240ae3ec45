"""Application Load Balancers: an HTTP server on loopback for each listener."""
