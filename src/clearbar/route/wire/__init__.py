"""What the bodies of the two protocols say, and how they are changed. Pure."""
