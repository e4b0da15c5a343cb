-- The last number handed out of each kind: tells what is new by one small read.
SELECT name, value
FROM mark
UNION ALL
SELECT 'chain', link
FROM chain
