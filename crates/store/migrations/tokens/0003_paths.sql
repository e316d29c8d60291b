-- The paths of repositories that a token is for, as patterns; of every one when empty.
ALTER TABLE api_token ADD COLUMN paths TEXT NOT NULL DEFAULT '[]';
