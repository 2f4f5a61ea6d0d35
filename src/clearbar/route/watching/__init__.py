"""Whether the routed tool still clears its bar."""
