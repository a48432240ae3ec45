"""How services and tasks of ECS come about, once they are asked for."""
