"""A push: which source becomes which image, how it gets to ECR, and which tags name it."""
