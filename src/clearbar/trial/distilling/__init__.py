"""Tools without a model, learned from logged answers."""
