"""Trials from scores that others recorded."""
