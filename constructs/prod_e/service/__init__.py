"""What runs on ECS Fargate."""
