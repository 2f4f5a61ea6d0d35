-- How far the journal of each of the gateway's workers is in the ledger.
CREATE TABLE journal_read (
  worker TEXT PRIMARY KEY,
  segment INTEGER NOT NULL,       -- to read on in
  byte_offset INTEGER NOT NULL,   -- behind the last line that was read
  finished INTEGER NOT NULL CHECK (finished IN (0, 1)) -- the worker is dead, and all of it is read
) STRICT;

-- Calls whose beginning was read and whose end was not yet: where their line stands.
CREATE TABLE journal_open_call (
  call_id TEXT PRIMARY KEY,
  worker TEXT NOT NULL,
  segment INTEGER NOT NULL,
  byte_offset INTEGER NOT NULL,
  byte_length INTEGER NOT NULL
) STRICT;
CREATE INDEX journal_open_call_by_worker ON journal_open_call (worker);

-- The ledger's files that charges of journals went into: when one is gone, all are read again.
CREATE TABLE journal_record_file (
  name TEXT PRIMARY KEY
) STRICT;
