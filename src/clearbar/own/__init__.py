"""Stage 2: who owns each workflow, and what counts as good."""
