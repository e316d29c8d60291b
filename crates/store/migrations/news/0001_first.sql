-- What is to be told to people, each change once, and to whom it was told already.
CREATE TABLE news (
    number BIGINT PRIMARY KEY,
    change TEXT NOT NULL UNIQUE,
    at     TEXT NOT NULL,
    kind   TEXT NOT NULL,
    target TEXT NOT NULL,
    body   TEXT NOT NULL
);
CREATE INDEX news_of ON news (target, number);
CREATE TABLE news_post (
    number BIGINT NOT NULL REFERENCES news (number),
    sink   TEXT NOT NULL,
    tries  BIGINT NOT NULL,
    due    BIGINT NOT NULL,
    ended  TEXT,
    fault  TEXT,
    PRIMARY KEY (number, sink)
);
CREATE INDEX news_open ON news_post (ended, due);
