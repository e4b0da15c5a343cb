-- Whether there is any call of an account: one look into an index, for somebody who calls just now.
SELECT 1 FROM call WHERE account = :key LIMIT 1
