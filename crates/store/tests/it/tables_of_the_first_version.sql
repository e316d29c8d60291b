-- Operations and their steps (design D5): the intent is written before an effect, the outcome after it.
CREATE TABLE operation (
    id          TEXT PRIMARY KEY,
    target      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    plan        TEXT NOT NULL,
    detail      TEXT NOT NULL,
    state       TEXT NOT NULL,
    started_at  TEXT NOT NULL,
    finished_at TEXT
);
CREATE INDEX operation_by_target ON operation (target, state);
CREATE TABLE step (
    operation  TEXT NOT NULL REFERENCES operation (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    intent     TEXT NOT NULL,
    intent_at  TEXT NOT NULL,
    outcome    TEXT,
    outcome_at TEXT,
    PRIMARY KEY (operation, name)
);
-- What was delivered where, one row a delivery.
CREATE TABLE history (
    target   TEXT NOT NULL,
    number   BIGINT NOT NULL,
    at       TEXT NOT NULL,
    revision TEXT NOT NULL,
    outcome  TEXT NOT NULL,
    summary  TEXT NOT NULL,
    body     TEXT NOT NULL,
    PRIMARY KEY (target, number)
);
-- Small durable facts: fingerprints of keys generated once, preferences of a target.
CREATE TABLE fact (
    space TEXT NOT NULL,
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (space, name)
);
-- The embedded cluster's durable state.
CREATE TABLE cluster_object (
    name     TEXT PRIMARY KEY,
    revision BIGINT NOT NULL,
    body     BLOB NOT NULL
);
CREATE TABLE cluster_event (
    revision BIGINT PRIMARY KEY,
    body     BLOB NOT NULL
);
CREATE TABLE cluster_meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
