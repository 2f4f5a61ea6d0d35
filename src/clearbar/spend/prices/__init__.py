"""What things cost: the dated price book, agreements, currencies, and the join with charges."""
