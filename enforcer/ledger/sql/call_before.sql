-- What we count for a finished call that another hand changed since all changes up to a mark were taken
-- over: our own last version after that mark, or the version that stood at the mark, or nothing.
SELECT body
FROM call_before
WHERE call_id = :call_id AND change > :done AND (writer = :lot OR :born <= :done)
ORDER BY
    CASE WHEN writer = :lot THEN 0 ELSE 1 END,
    CASE WHEN writer = :lot THEN -change ELSE change END
LIMIT 1
