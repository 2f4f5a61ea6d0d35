"""Requests and answers kept for trials, only where a workflow asks for it."""
