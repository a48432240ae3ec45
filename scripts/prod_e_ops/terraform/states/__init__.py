"""What Terraform's state holds."""
