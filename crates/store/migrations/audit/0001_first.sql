-- Who changed what, and how that ended; rows are only ever added.
CREATE TABLE audit_entry (
    number  BIGINT PRIMARY KEY,
    at      TEXT NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    target  TEXT NOT NULL,
    detail  TEXT NOT NULL,
    outcome TEXT
);
