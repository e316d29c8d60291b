-- Of one target one operation runs, whoever else begins one at the same moment.
CREATE UNIQUE INDEX operation_running ON operation (target) WHERE state = 'running';
