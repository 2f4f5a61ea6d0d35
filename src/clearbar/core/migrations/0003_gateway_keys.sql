-- Keys of the gateway. The key itself is never here: only the hash of its secret part.
CREATE TABLE gateway_key (
  key_id TEXT PRIMARY KEY,        -- public: it stands in the key, in charges and logs
  hashed TEXT NOT NULL,           -- SHA-256 of the secret part, in hexadecimal
  workflow TEXT NOT NULL,         -- empty for the key of a team
  team TEXT NOT NULL,             -- empty for the key of a workflow
  name TEXT NOT NULL,             -- what people call it; may be empty
  environment TEXT NOT NULL,      -- fixed by the key where it is not empty
  issued_by TEXT NOT NULL,
  issued_at TEXT NOT NULL         -- UTC, ISO 8601
) STRICT;

-- Keys that no longer hold.
CREATE TABLE gateway_key_revoked (
  key_id TEXT PRIMARY KEY REFERENCES gateway_key (key_id),
  revoked_by TEXT NOT NULL,
  revoked_at TEXT NOT NULL
) STRICT;

CREATE TRIGGER gateway_key_is_never_edited BEFORE UPDATE ON gateway_key
BEGIN SELECT raise(ABORT, 'keys are revoked, not edited'); END;
CREATE TRIGGER gateway_key_is_never_deleted BEFORE DELETE ON gateway_key
BEGIN SELECT raise(ABORT, 'keys are revoked, not deleted'); END;
CREATE TRIGGER gateway_key_revoked_is_never_edited BEFORE UPDATE ON gateway_key_revoked
BEGIN SELECT raise(ABORT, 'a revoked key stays revoked'); END;
CREATE TRIGGER gateway_key_revoked_is_never_deleted BEFORE DELETE ON gateway_key_revoked
BEGIN SELECT raise(ABORT, 'a revoked key stays revoked'); END;
