"""Stage 5: only funded work passes, to the tool that won, from a budget that holds."""
