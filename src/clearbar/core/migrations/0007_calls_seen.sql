-- A few calls of each routed tool: how long they took and what they wrote. The oldest are removed.
CREATE TABLE call_seen (
  seen_id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given again: readers go on behind the last
  workflow TEXT NOT NULL,
  tool TEXT NOT NULL,             -- the one that was called
  at_us INTEGER NOT NULL,         -- end of the call, microseconds since 1970
  latency_ms INTEGER NOT NULL,
  output_tokens INTEGER           -- null where none were told
) STRICT;
CREATE INDEX call_seen_by_tool ON call_seen (workflow, tool, seen_id);

-- When a call was last made under each key of the gateway.
CREATE TABLE gateway_key_used (
  key_id TEXT PRIMARY KEY,
  at_us INTEGER NOT NULL          -- microseconds since 1970
) STRICT;
