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
