"""ECR's container registry: what `docker push` and `docker pull` talk to."""
