"""Merged work in a git repository, as outcomes of the workflows that paid for it."""
