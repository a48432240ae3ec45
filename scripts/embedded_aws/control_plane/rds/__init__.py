"""RDS: databases as they should be, and changes that wait."""
