"""The ledger on disk: records in, files out, records of one charge united."""
