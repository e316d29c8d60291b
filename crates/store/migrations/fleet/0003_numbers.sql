-- The last number that an edge got: what is told of one that is gone is never another one's.
CREATE TABLE edge_number (
    one  BIGINT PRIMARY KEY,
    last BIGINT NOT NULL
);
INSERT INTO edge_number (one, last)
SELECT 1, COALESCE(MAX(number), 0) FROM (
    SELECT MAX(number) AS number FROM edge
    UNION ALL SELECT MAX(edge) AS number FROM edge_event
    UNION ALL SELECT MAX(edge) AS number FROM edge_member
) AS used;
