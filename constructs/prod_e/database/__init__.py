"""The PostgreSQL database on RDS."""
