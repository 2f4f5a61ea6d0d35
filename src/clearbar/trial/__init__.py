"""Stage 4: the cheapest tool that clears the bar, with a certificate."""
