"""Commands about what runs: plan, deploy, destroy."""
