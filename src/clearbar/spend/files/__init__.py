"""What a file holds before it is a record: lines, rows, values, and what cannot be trusted."""
