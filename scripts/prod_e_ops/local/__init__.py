"""An environment to develop against: it stays up on the embedded AWS, and follows its sources."""
