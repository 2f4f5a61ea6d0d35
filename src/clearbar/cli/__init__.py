"""The command line: one file per verb; reads arguments, calls the workspace, prints."""
