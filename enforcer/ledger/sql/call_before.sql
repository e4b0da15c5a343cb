-- What the row of a finished call said when all changes up to a mark had been taken over.
SELECT body
FROM call_before
WHERE change > :done AND call_id = :call_id
ORDER BY change
LIMIT 1
