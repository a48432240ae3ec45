"""Terraform's providers: found, locked, and told of where they end."""
