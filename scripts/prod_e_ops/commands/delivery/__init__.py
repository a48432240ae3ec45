"""Commands about images: push, look, roll back."""
