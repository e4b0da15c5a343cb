-- Whether there is any call of a customer: one look into an index, for somebody who calls just now.
SELECT 1 FROM call WHERE customer = :key LIMIT 1
