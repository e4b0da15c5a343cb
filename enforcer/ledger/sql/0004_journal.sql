-- What was put on record, one row after the other, never changed: notices, opt-outs, strikes, modes, charges,
-- accounts, policies. `link` is its place in the chain that decisions are links of as well; `seal` seals the
-- row and, through the seal before it, everything before it. `body` is JSON.
CREATE TABLE journal (
    link BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    ref TEXT NOT NULL,
    customer TEXT NOT NULL,
    account TEXT NOT NULL,
    body TEXT NOT NULL,
    seal TEXT NOT NULL,
    writer BIGINT NOT NULL
);
CREATE INDEX journal_ref ON journal (kind, ref, link);
CREATE INDEX journal_customer ON journal (customer, link);

-- The end of the chain: the last link and its seal.
CREATE TABLE chain (
    link BIGINT NOT NULL,
    seal TEXT NOT NULL
);
INSERT INTO chain (link, seal)
VALUES (0, '0000000000000000000000000000000000000000000000000000000000000000');

-- Decisions from before there was a chain have no link.
ALTER TABLE decision ADD COLUMN link BIGINT NOT NULL DEFAULT 0;
ALTER TABLE decision ADD COLUMN seal TEXT NOT NULL DEFAULT '';
-- And what was entered before it is not in the journal: up to these numbers, and so many decisions.
INSERT INTO mark (name, value)
SELECT name || ' unsealed', value FROM mark WHERE name IN ('account', 'mode', 'charge');
INSERT INTO mark (name, value) SELECT 'decision unsealed', COUNT(*) FROM decision;
CREATE UNIQUE INDEX decision_link ON decision (link) WHERE link <> 0;

-- What is known of customers besides their accounts. `contacts` are addresses for notices, a line each.
CREATE TABLE customer (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    contacts TEXT NOT NULL,
    change BIGINT NOT NULL
);
INSERT INTO mark (name, value) VALUES ('customer', 0);
