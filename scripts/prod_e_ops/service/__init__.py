"""A service on ECS: asked by `ecs`, described by `model`, shown by `render` and `follow`."""
