"""prod-e: a container platform on AWS, as constructs for CDK for Terraform."""

from prod_e.app import fast_imports

fast_imports.enable()
