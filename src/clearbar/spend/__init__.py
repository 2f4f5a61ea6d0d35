"""Stage 1: what AI cost, when, for whom; a charge is never edited."""
