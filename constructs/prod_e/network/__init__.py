"""The VPC, and who can reach whom."""
