"""Whom to try next, who is out, when to stop: cheapest first, at one error rate over all."""
