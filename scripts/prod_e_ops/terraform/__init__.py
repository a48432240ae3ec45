"""Terraform: run, its plans and failures read, its providers found."""
