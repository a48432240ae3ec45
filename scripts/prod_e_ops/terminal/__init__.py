"""What a person sees, and the processes that the command runs."""
