-- Of which system it is: environments of two may have one name, and images of two one digest. What was written down before says it of
-- none: it is evidence for nobody, and holds and promotions count for all.
ALTER TABLE evidence ADD COLUMN system TEXT NOT NULL DEFAULT '';
ALTER TABLE hold ADD COLUMN system TEXT NOT NULL DEFAULT '';
ALTER TABLE promotion ADD COLUMN system TEXT NOT NULL DEFAULT '';
