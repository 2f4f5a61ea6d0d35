-- Months that are closed, and what corrects them: a chain, each entry with the hash of the last.
CREATE TABLE closing (
  entry INTEGER PRIMARY KEY CHECK (entry > 0),
  kind TEXT NOT NULL CHECK (kind IN ('close', 'correction')),
  month TEXT NOT NULL,            -- that is closed, 2026-10; empty for corrections
  day TEXT NOT NULL,              -- UTC: on which corrections are reported
  at TEXT NOT NULL,               -- UTC, ISO 8601
  rows_digest TEXT NOT NULL,      -- SHA-256 over its rows
  previous_hash TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE
) STRICT;
CREATE UNIQUE INDEX closing_once ON closing (month) WHERE kind = 'close';

-- Who made the calls that rows are of: written once each.
CREATE TABLE closing_origin (
  origin_number INTEGER PRIMARY KEY,
  origin TEXT NOT NULL UNIQUE     -- JSON
) STRICT;

-- What was reported of a closed month, by origin and day; and what corrects it.
CREATE TABLE closing_row (
  entry INTEGER NOT NULL REFERENCES closing (entry),
  origin_number INTEGER REFERENCES closing_origin (origin_number), -- null: told twice, counted once
  workflow TEXT NOT NULL,         -- empty where no rule took it
  day TEXT NOT NULL,              -- of a correction the day on which it was seen
  month TEXT NOT NULL,            -- of a correction the month that it corrects, else empty
  usage TEXT NOT NULL             -- JSON: sums that are not zero, money as exact text
) STRICT;
CREATE INDEX closing_row_by_entry ON closing_row (entry);

-- What the ledger and the declarations were like when closed months were last looked at.
CREATE TABLE closing_look (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  stamp TEXT NOT NULL
) STRICT;

CREATE TRIGGER closing_is_never_edited BEFORE UPDATE ON closing
BEGIN SELECT raise(ABORT, 'closed months are append-only'); END;
CREATE TRIGGER closing_is_never_deleted BEFORE DELETE ON closing
BEGIN SELECT raise(ABORT, 'closed months are append-only'); END;
CREATE TRIGGER closing_row_is_never_edited BEFORE UPDATE ON closing_row
BEGIN SELECT raise(ABORT, 'closed months are append-only'); END;
CREATE TRIGGER closing_row_is_never_deleted BEFORE DELETE ON closing_row
BEGIN SELECT raise(ABORT, 'closed months are append-only'); END;
CREATE TRIGGER closing_origin_is_never_edited BEFORE UPDATE ON closing_origin
BEGIN SELECT raise(ABORT, 'closed months are append-only'); END;
CREATE TRIGGER closing_origin_is_never_deleted BEFORE DELETE ON closing_origin
BEGIN SELECT raise(ABORT, 'closed months are append-only'); END;
