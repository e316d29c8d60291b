-- Small durable facts: fingerprints of keys generated once, preferences of a target.
CREATE TABLE fact (
    space TEXT NOT NULL,
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (space, name)
);
