"""Clearbar: what each AI workflow costs, who owns it, and whether to fund, pause or kill it."""
