-- What somebody whom the API knows has asked of an Application: an operation counts once.
CREATE TABLE app_order (
    id          TEXT PRIMARY KEY,
    application TEXT NOT NULL,
    uid         TEXT NOT NULL,
    digest      TEXT NOT NULL,
    actor       TEXT NOT NULL,
    at          TEXT NOT NULL,
    done_at     TEXT
);
-- How an Application may sync by itself, as an owner or the base branch has said it last.
CREATE TABLE app_policy (
    application TEXT PRIMARY KEY,
    uid         TEXT NOT NULL,
    digest      TEXT NOT NULL,
    actor       TEXT NOT NULL,
    at          TEXT NOT NULL
);
