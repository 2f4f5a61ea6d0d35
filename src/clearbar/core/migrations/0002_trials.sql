-- A call about to be made for a trial: written durably before the request leaves.
CREATE TABLE attempt (
  attempt_id TEXT PRIMARY KEY,    -- random
  asked TEXT NOT NULL,            -- what was asked of whom: a hash of the three digests below
  kind TEXT NOT NULL CHECK (kind IN ('case', 'judge')),
  workflow TEXT NOT NULL,
  trial TEXT NOT NULL,            -- the trial that pays: a hash of its identity
  tool TEXT NOT NULL,
  provider TEXT NOT NULL,         -- who bills; empty where it is not known
  model TEXT NOT NULL,            -- as asked for; empty for what is no model
  tool_digest TEXT NOT NULL,
  prompt_digest TEXT NOT NULL,
  case_digest TEXT NOT NULL,
  ceiling_usd TEXT,               -- decimal: reserved for it; null where no ceiling is known
  started_at TEXT NOT NULL        -- UTC, ISO 8601
) STRICT;
CREATE INDEX attempt_by_asked ON attempt (asked);
CREATE INDEX attempt_by_trial ON attempt (trial);
CREATE INDEX attempt_by_workflow ON attempt (workflow);

-- How an attempt ended. One without an end is in flight, or was lost with its process.
CREATE TABLE attempt_end (
  attempt_id TEXT PRIMARY KEY REFERENCES attempt (attempt_id),
  ended TEXT NOT NULL CHECK (ended IN ('answered', 'failed', 'lost')),
  what TEXT NOT NULL,             -- of a failure, in plain words; empty for an answer
  http_status INTEGER,
  answer_digest TEXT,             -- SHA-256 of the exact text; the text itself is never here
  token_usage TEXT,               -- JSON; null where nothing was reported
  cost_usd TEXT,                  -- decimal; null where it is not known, which is never zero
  cost_source TEXT NOT NULL CHECK (cost_source IN ('book', 'declared', 'none')),
  confidence REAL,
  model TEXT NOT NULL,            -- as reported
  upstream_id TEXT NOT NULL,
  service_tier TEXT NOT NULL,
  speed TEXT NOT NULL,
  geo TEXT NOT NULL,
  latency_ms INTEGER,
  finished_at TEXT NOT NULL
) STRICT;
CREATE INDEX attempt_end_by_upstream_id ON attempt_end (upstream_id);

-- What was asked and given up after retries, while the tool was known to work: it scores zero.
CREATE TABLE given_up (
  trial TEXT NOT NULL,
  asked TEXT NOT NULL,
  what TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (trial, asked)
) STRICT;

-- The form of an answer in which a grader compares answers: equal forms have equal scores.
CREATE TABLE canonical_form (
  graded TEXT PRIMARY KEY,        -- a hash of case, reference, answer and grader
  canonical_digest TEXT NOT NULL, -- SHA-256; the form itself is never here
  grader TEXT NOT NULL,           -- digest of its canonical text
  at TEXT NOT NULL
) STRICT;
CREATE INDEX canonical_form_by_grader ON canonical_form (grader);

-- What a grader said of an answer to a case.
CREATE TABLE grade (
  graded TEXT PRIMARY KEY REFERENCES canonical_form (graded),
  score REAL NOT NULL CHECK (score >= 0 AND score <= 1),
  flagged INTEGER NOT NULL CHECK (flagged IN (0, 1)),
  at TEXT NOT NULL
) STRICT;

-- What a person said of an answer to a case; of several the latest counts.
CREATE TABLE label (
  label_id INTEGER PRIMARY KEY,
  workflow TEXT NOT NULL,
  case_digest TEXT NOT NULL,
  answer_digest TEXT NOT NULL,
  score REAL NOT NULL CHECK (score >= 0 AND score <= 1),
  by TEXT NOT NULL,
  at TEXT NOT NULL
) STRICT;
CREATE INDEX label_by_workflow ON label (workflow, case_digest, answer_digest);

-- Texts of answers, only where the trial declares `capture = true`. This table can be emptied.
CREATE TABLE captured_answer (
  attempt_id TEXT PRIMARY KEY REFERENCES attempt (attempt_id),
  text TEXT NOT NULL
) STRICT;

-- The ends of trials.
CREATE TABLE certificate (
  certificate_id TEXT PRIMARY KEY, -- a hash of the body
  workflow TEXT NOT NULL,
  decided_at TEXT NOT NULL,
  body TEXT NOT NULL              -- JSON
) STRICT;
CREATE INDEX certificate_by_workflow ON certificate (workflow, decided_at);

CREATE TRIGGER attempt_is_never_edited BEFORE UPDATE ON attempt
BEGIN SELECT raise(ABORT, 'evidence is append-only'); END;
CREATE TRIGGER attempt_is_never_deleted BEFORE DELETE ON attempt
BEGIN SELECT raise(ABORT, 'evidence is append-only'); END;
CREATE TRIGGER attempt_end_is_never_edited BEFORE UPDATE ON attempt_end
BEGIN SELECT raise(ABORT, 'evidence is append-only'); END;
CREATE TRIGGER attempt_end_is_never_deleted BEFORE DELETE ON attempt_end
BEGIN SELECT raise(ABORT, 'evidence is append-only'); END;
CREATE TRIGGER given_up_is_never_edited BEFORE UPDATE ON given_up
BEGIN SELECT raise(ABORT, 'evidence is append-only'); END;
CREATE TRIGGER given_up_is_never_deleted BEFORE DELETE ON given_up
BEGIN SELECT raise(ABORT, 'evidence is append-only'); END;
CREATE TRIGGER canonical_form_is_never_edited BEFORE UPDATE ON canonical_form
BEGIN SELECT raise(ABORT, 'evidence is append-only'); END;
CREATE TRIGGER canonical_form_is_never_deleted BEFORE DELETE ON canonical_form
BEGIN SELECT raise(ABORT, 'evidence is append-only'); END;
CREATE TRIGGER grade_is_never_edited BEFORE UPDATE ON grade
BEGIN SELECT raise(ABORT, 'evidence is append-only'); END;
CREATE TRIGGER grade_is_never_deleted BEFORE DELETE ON grade
BEGIN SELECT raise(ABORT, 'evidence is append-only'); END;
CREATE TRIGGER label_is_never_edited BEFORE UPDATE ON label
BEGIN SELECT raise(ABORT, 'labels are append-only'); END;
CREATE TRIGGER label_is_never_deleted BEFORE DELETE ON label
BEGIN SELECT raise(ABORT, 'labels are append-only'); END;
CREATE TRIGGER captured_answer_is_never_edited BEFORE UPDATE ON captured_answer
BEGIN SELECT raise(ABORT, 'captured answers can be removed, not edited'); END;
CREATE TRIGGER certificate_is_never_edited BEFORE UPDATE ON certificate
BEGIN SELECT raise(ABORT, 'certificates are append-only'); END;
CREATE TRIGGER certificate_is_never_deleted BEFORE DELETE ON certificate
BEGIN SELECT raise(ABORT, 'certificates are append-only'); END;

-- A score that another evaluator gave to a tool's answer to a case; the newest counts.
CREATE TABLE recorded_score (
  entry INTEGER PRIMARY KEY,
  workflow TEXT NOT NULL,
  tool TEXT NOT NULL,
  case_id TEXT NOT NULL,          -- the case's own name
  score REAL NOT NULL CHECK (score BETWEEN 0 AND 1),
  cost_usd TEXT,                  -- decimal; null where it was not recorded
  at TEXT NOT NULL                -- when it was imported: UTC, ISO 8601
) STRICT;
CREATE INDEX recorded_score_by_workflow ON recorded_score (workflow);
CREATE TRIGGER recorded_score_is_never_edited BEFORE UPDATE ON recorded_score
BEGIN SELECT raise(ABORT, 'recorded scores are append-only'); END;
CREATE TRIGGER recorded_score_is_never_deleted BEFORE DELETE ON recorded_score
BEGIN SELECT raise(ABORT, 'recorded scores are append-only'); END;
