"""Commands that need no AWS account."""
