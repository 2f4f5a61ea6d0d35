"""Pages for people: rendered in one piece, no build step, nothing loaded from elsewhere."""
