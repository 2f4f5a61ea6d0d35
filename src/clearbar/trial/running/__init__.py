"""Running a trial: asking, pacing, paying, and evidence that survives a kill."""
