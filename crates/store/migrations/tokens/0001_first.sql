-- Tokens of the API, by their public half; of the secret half its digest alone.
CREATE TABLE api_token (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    digest     TEXT NOT NULL,
    scopes     TEXT NOT NULL,
    projects   TEXT NOT NULL,
    issued_at  TEXT NOT NULL,
    issued_by  TEXT NOT NULL,
    expires_at TEXT,
    revoked_at TEXT,
    used_at    TEXT
);
