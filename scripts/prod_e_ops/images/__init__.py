"""Images: in ECR, and as Docker and Terraform build them."""
