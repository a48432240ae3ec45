"""The data plane: tasks, load balancers and databases, run as the control plane desires."""
