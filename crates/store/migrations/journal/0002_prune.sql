-- Operations that have ended need no plan any more; it held the values of Secrets.
UPDATE operation SET plan = 'null', detail = 'null' WHERE state <> 'running';
DELETE FROM step WHERE operation IN (SELECT id FROM operation WHERE state <> 'running');
