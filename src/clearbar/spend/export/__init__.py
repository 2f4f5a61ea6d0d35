"""The ledger as files for others: its charges, or days of them, as tables and in FOCUS."""
