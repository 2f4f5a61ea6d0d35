-- What a copy of a routed request showed of the tool in force. Never a text.
CREATE TABLE shadow_sample (
  sample_id INTEGER PRIMARY KEY,
  workflow TEXT NOT NULL,
  tool TEXT NOT NULL,             -- the one that the route chose
  old_tool TEXT NOT NULL,
  at TEXT NOT NULL,               -- UTC, ISO 8601
  probability REAL NOT NULL CHECK (probability > 0 AND probability <= 1),
  score REAL CHECK (score BETWEEN 0 AND 1),
  by_old INTEGER NOT NULL CHECK (by_old IN (0, 1)), -- the old tool's answer was the reference
  difference REAL CHECK (difference BETWEEN -1 AND 1), -- to the old tool's score
  same INTEGER CHECK (same IN (0, 1)), -- null where the old tool was not asked
  ill_formed INTEGER NOT NULL CHECK (ill_formed IN (0, 1)),
  characters INTEGER NOT NULL     -- of the answer
) STRICT;
CREATE INDEX shadow_sample_by_tool ON shadow_sample (workflow, tool, sample_id);

-- A routed tool was seen to fall under its bar; one for each certificate.
CREATE TABLE drift_alarm (
  alarm_id INTEGER PRIMARY KEY,
  workflow TEXT NOT NULL,
  tool TEXT NOT NULL,
  certificate_id TEXT NOT NULL,
  at TEXT NOT NULL,               -- UTC, ISO 8601
  what TEXT NOT NULL,             -- the finding with its numbers
  graded INTEGER NOT NULL,
  statistic REAL NOT NULL,
  threshold REAL NOT NULL,
  sample_id INTEGER NOT NULL,     -- the sample that raised it
  UNIQUE (workflow, tool, certificate_id)
) STRICT;

CREATE TRIGGER shadow_sample_is_never_edited BEFORE UPDATE ON shadow_sample
BEGIN SELECT raise(ABORT, 'samples are append-only'); END;
CREATE TRIGGER shadow_sample_is_never_deleted BEFORE DELETE ON shadow_sample
BEGIN SELECT raise(ABORT, 'samples are append-only'); END;
CREATE TRIGGER drift_alarm_is_never_edited BEFORE UPDATE ON drift_alarm
BEGIN SELECT raise(ABORT, 'alarms are append-only'); END;
CREATE TRIGGER drift_alarm_is_never_deleted BEFORE DELETE ON drift_alarm
BEGIN SELECT raise(ABORT, 'alarms are append-only'); END;
