"""Stage 3 so far: fund, pause or kill, with reasons."""
