-- How many accounts have calls, counted up to :most: one look into the index for each account, not one for
-- each call.
WITH RECURSIVE name (one) AS (
    SELECT MIN(account) FROM call
    UNION ALL
    SELECT (SELECT MIN(account) FROM call WHERE account > name.one) FROM name WHERE name.one IS NOT NULL
    LIMIT :most
)
SELECT COUNT(one) FROM name
