-- What was read, so that an unchanged file is not read again.
CREATE TABLE file_read (
  uri TEXT PRIMARY KEY,
  fingerprint TEXT NOT NULL,      -- size, times and inode, with source and parser version
  source TEXT NOT NULL,
  records INTEGER NOT NULL,
  read_at TEXT NOT NULL
) STRICT;

-- Records that were not taken in, with the reason; replaced when their file is read again.
CREATE TABLE problem (
  uri TEXT NOT NULL,
  line INTEGER,
  source TEXT NOT NULL,
  what TEXT NOT NULL,
  hint TEXT NOT NULL,
  read_at TEXT NOT NULL
) STRICT;
CREATE INDEX problem_by_uri ON problem (uri);

-- What workflows produced. Appended, never edited: of one task's scores the latest counts.
CREATE TABLE outcome (
  outcome_id TEXT PRIMARY KEY,    -- a hash of all that follows up to said_by
  workflow TEXT NOT NULL,
  task_id TEXT NOT NULL,
  scored_at TEXT NOT NULL,        -- UTC, ISO 8601
  score REAL NOT NULL CHECK (score >= 0 AND score <= 1),
  worth_usd TEXT,                 -- decimal; null takes the workflow's
  said_by TEXT NOT NULL,
  uri TEXT NOT NULL,
  line INTEGER,
  recorded_at TEXT NOT NULL
) STRICT;
CREATE INDEX outcome_by_task ON outcome (workflow, task_id, scored_at);

-- Verdicts, defences and overrides: a chain in which each entry holds the hash of the one before.
CREATE TABLE docket (
  entry INTEGER PRIMARY KEY CHECK (entry > 0),
  kind TEXT NOT NULL CHECK (kind IN ('verdict', 'defence', 'override')),
  workflow TEXT NOT NULL,
  at TEXT NOT NULL,               -- UTC, ISO 8601
  body TEXT NOT NULL,             -- JSON
  previous_hash TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX docket_by_workflow ON docket (workflow, entry);
CREATE TRIGGER docket_is_never_edited BEFORE UPDATE ON docket
BEGIN SELECT raise(ABORT, 'the docket is append-only'); END;
CREATE TRIGGER docket_is_never_deleted BEFORE DELETE ON docket
BEGIN SELECT raise(ABORT, 'the docket is append-only'); END;
CREATE TRIGGER outcome_is_never_edited BEFORE UPDATE ON outcome
BEGIN SELECT raise(ABORT, 'outcomes are append-only'); END;
CREATE TRIGGER outcome_is_never_deleted BEFORE DELETE ON outcome
BEGIN SELECT raise(ABORT, 'outcomes are append-only'); END;
