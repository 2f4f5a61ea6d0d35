"""What happened, durably, before a reply ends; and from there into the ledger."""
