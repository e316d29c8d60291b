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
