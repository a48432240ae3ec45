"""What the Docker daemon of this machine does for images: their builds, tags and uploads."""
