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
