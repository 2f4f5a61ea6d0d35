"""Fetches usage and costs from where an API has them; what comes is kept as files, then read."""
