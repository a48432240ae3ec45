"""RDS instances as real PostgreSQL servers."""
