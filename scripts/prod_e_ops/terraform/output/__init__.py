"""What Terraform says while it runs: its JSON lines, as events and diagnostics."""
