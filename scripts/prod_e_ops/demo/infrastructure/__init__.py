"""The demo's Terraform."""
