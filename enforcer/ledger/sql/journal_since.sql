-- What others put on record since a link of the chain, in its order.
SELECT kind, at, ref, customer, account, body, link, seal
FROM journal
WHERE link > :seen AND writer <> :lot
ORDER BY link
