"""Images: how they are built and kept, who may push them, and what a push starts."""
