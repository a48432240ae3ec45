"""What Terraform plans."""
