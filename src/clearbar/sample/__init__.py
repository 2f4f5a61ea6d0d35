"""A small company that does not exist: usage files in real formats, with known truth."""
