"""prod-e: a container platform on AWS, as constructs for CDK for Terraform."""

from prod_e import fast_synthesis

fast_synthesis.enable()
