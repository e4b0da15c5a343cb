-- What settlements of closed cycles charged. Rows are never changed: what turns out to be wrong is taken
-- back by a row of its own, whose `reverses` is the number of the row it takes back (0 none).
-- `amount` is a decimal in text, exact. `change` gives the order in which rows were written.
CREATE TABLE charge (
    customer TEXT NOT NULL,
    account TEXT NOT NULL,
    rule TEXT NOT NULL,
    cycle TEXT NOT NULL,
    policy TEXT NOT NULL,
    number BIGINT NOT NULL,
    amount TEXT NOT NULL,
    currency TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    clause TEXT NOT NULL,
    words TEXT NOT NULL,
    reverses BIGINT NOT NULL,
    change BIGINT NOT NULL,
    PRIMARY KEY (customer, account, rule, cycle, policy, number)
);
CREATE INDEX charge_cycle ON charge (cycle, change);
CREATE UNIQUE INDEX charge_change ON charge (change);
-- No entry is taken back twice.
CREATE UNIQUE INDEX charge_reverses ON charge (customer, account, rule, cycle, policy, reverses)
    WHERE reverses <> 0;
INSERT INTO mark (name, value) VALUES ('charge', 0);
