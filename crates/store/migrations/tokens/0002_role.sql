-- Whose rights a token has by the policy, `role:deployer` or `proj:shop:deploy`; by its scopes alone when empty.
ALTER TABLE api_token ADD COLUMN role TEXT NOT NULL DEFAULT '';
