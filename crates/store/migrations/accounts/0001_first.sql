-- Who signs in with a password: of that one a slow digest alone.
CREATE TABLE account (
    name         TEXT PRIMARY KEY,
    password     TEXT NOT NULL,
    must_change  BIGINT NOT NULL,
    roles        TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    disabled_at  TEXT,
    signed_in_at TEXT,
    failed       BIGINT NOT NULL,
    closed_until TEXT
);
-- Who is signed in, by the digest of what the browser sends along.
CREATE TABLE account_session (
    digest    TEXT PRIMARY KEY,
    account   TEXT NOT NULL,
    issuer    TEXT NOT NULL,
    roles     TEXT NOT NULL,
    began_at  TEXT NOT NULL,
    ends_at   TEXT NOT NULL,
    used_at   TEXT NOT NULL
);
