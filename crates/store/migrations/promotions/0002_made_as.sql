-- What stands for a check as it was declared when it was made; what was seen before says nothing of it.
ALTER TABLE evidence ADD COLUMN made_as TEXT NOT NULL DEFAULT '';
