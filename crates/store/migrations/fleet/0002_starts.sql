-- The starts of an edge's agent before this one, JSON: the digest of each and how far it has counted.
ALTER TABLE edge_presence ADD COLUMN starts TEXT NOT NULL DEFAULT '[]';
