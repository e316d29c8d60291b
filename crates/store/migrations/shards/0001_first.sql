-- Who writes the journal of a shard of Applications: whoever takes it over counts the epoch on, and a former one's is refused.
CREATE TABLE shard (
    number BIGINT PRIMARY KEY,
    epoch  BIGINT NOT NULL,
    holder TEXT NOT NULL,
    shards BIGINT NOT NULL
);
