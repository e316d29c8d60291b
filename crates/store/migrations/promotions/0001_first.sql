-- The digest that each published tag had first; a tag never moves.
CREATE TABLE published (
    image    TEXT NOT NULL,
    tag      TEXT NOT NULL,
    digest   TEXT NOT NULL,
    at       TEXT NOT NULL,
    revision TEXT,
    PRIMARY KEY (image, tag)
);
CREATE INDEX published_as ON published (digest);
-- What was seen of images, by their digests; nothing of it is ever changed.
CREATE TABLE evidence (
    number      BIGINT PRIMARY KEY,
    digest      TEXT NOT NULL,
    environment TEXT NOT NULL,
    at          TEXT NOT NULL,
    what        TEXT NOT NULL,
    passed      BIGINT NOT NULL,
    detail      TEXT NOT NULL
);
CREATE INDEX evidence_of ON evidence (digest, number);
-- Versions that must not be promoted.
CREATE TABLE hold (
    number      BIGINT PRIMARY KEY,
    tag         TEXT NOT NULL,
    at          TEXT NOT NULL,
    held_by     TEXT NOT NULL,
    reason      TEXT NOT NULL,
    released_at TEXT,
    released_by TEXT
);
-- Promotions, and what became of each: a chain in which each event holds the digest of the one before.
CREATE TABLE promotion (
    id       TEXT PRIMARY KEY,
    at       TEXT NOT NULL,
    origin   TEXT NOT NULL,
    receiver TEXT NOT NULL,
    tag      TEXT NOT NULL,
    state    TEXT NOT NULL,
    body     TEXT NOT NULL
);
CREATE INDEX promotion_to ON promotion (receiver, at);
CREATE TABLE promotion_event (
    id       TEXT NOT NULL REFERENCES promotion (id),
    seq      BIGINT NOT NULL,
    at       TEXT NOT NULL,
    actor    TEXT NOT NULL,
    state    TEXT NOT NULL,
    said     TEXT NOT NULL,
    previous TEXT NOT NULL,
    digest   TEXT NOT NULL,
    PRIMARY KEY (id, seq)
);
