"""One dollar, several accounts of it: calls, a provider's aggregates, bills. Pure rules."""
