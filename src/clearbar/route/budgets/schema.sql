-- The shared store of budgets, for SQLite and PostgreSQL alike. Amounts are nano-dollars.

-- One row: the version of these tables.
CREATE TABLE IF NOT EXISTS budget_format (version INTEGER NOT NULL);

CREATE TABLE IF NOT EXISTS budget_accounts (
    account TEXT PRIMARY KEY,
    limit_nusd BIGINT NOT NULL,
    drain_nusd BIGINT,
    spent_nusd BIGINT NOT NULL
);

-- state: live; lost (no sign of life: all it had counts as spent); recovered (its journal was
-- read); closed (it gave back all it had). Only a live one may report or lease.
CREATE TABLE IF NOT EXISTS budget_workers (
    worker TEXT PRIMARY KEY,
    family TEXT NOT NULL,
    nonce TEXT NOT NULL,
    beat BIGINT NOT NULL,
    state TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS budget_workers_by_family ON budget_workers (family);

-- counted_nusd: the part of the account's spent_nusd that comes from this worker. reported_nusd:
-- what the worker itself said. short_nusd: what a call of it that waits is missing.
CREATE TABLE IF NOT EXISTS budget_leases (
    account TEXT NOT NULL,
    worker TEXT NOT NULL,
    leased_nusd BIGINT NOT NULL,
    held_nusd BIGINT NOT NULL,
    short_nusd BIGINT NOT NULL,
    reported_nusd BIGINT NOT NULL,
    counted_nusd BIGINT NOT NULL,
    PRIMARY KEY (account, worker)
);
CREATE INDEX IF NOT EXISTS budget_leases_by_worker ON budget_leases (worker);

-- Thresholds that were crossed, each once over all workers.
CREATE TABLE IF NOT EXISTS budget_warnings (
    account TEXT NOT NULL,
    threshold_nusd BIGINT NOT NULL,
    PRIMARY KEY (account, threshold_nusd)
);

-- Tasks and runs that have been paid for before, in the order in which they began.
CREATE TABLE IF NOT EXISTS budget_begun (
    work TEXT PRIMARY KEY,
    place BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS budget_begun_by_place ON budget_begun (place);

-- Who made what lies at the providers: ids only as hashes. lapses_on_day: since 1970, when the
-- provider has removed it.
CREATE TABLE IF NOT EXISTS owned_objects (
    object TEXT PRIMARY KEY,
    workflow TEXT NOT NULL,
    lapses_on_day BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS owned_objects_by_day ON owned_objects (lapses_on_day);
