-- The first house: one row a call, what people entered, decisions, and who wrote what when.
-- Understood by SQLite and PostgreSQL alike. Migrations only move forward: never edit this file.

-- Numbers that are handed out, each once: to every version of a row its `change`.
CREATE TABLE mark (
    name VARCHAR(20) NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO mark (name, value) VALUES ('schema', 0), ('call', 0), ('account', 0), ('mode', 0);

CREATE TABLE account (
    id TEXT NOT NULL PRIMARY KEY,
    customer TEXT NOT NULL,
    type TEXT,
    channels BIGINT NOT NULL,
    plan TEXT NOT NULL,
    anchor_day BIGINT NOT NULL,
    timezone TEXT NOT NULL,
    standing TEXT NOT NULL,
    standing_reason TEXT NOT NULL,
    change BIGINT NOT NULL
);

-- Every mode setting ever made; nothing is ever overwritten.
CREATE TABLE mode_setting (
    change BIGINT NOT NULL PRIMARY KEY,
    mode TEXT NOT NULL,
    account TEXT NOT NULL,
    rule TEXT NOT NULL,
    switch TEXT NOT NULL,
    ceiling BOOLEAN NOT NULL,
    who TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    why TEXT NOT NULL,
    until DOUBLE PRECISION,
    writer BIGINT NOT NULL
);

-- One row a call. `outcome`, `billed_msec` and `answered_msec` follow from the rest and are kept so
-- that usage can be added up here; `born` is the change that made the row, `change` the last one,
-- `writer` the process that made that (a number it drew by lot).
CREATE TABLE call (
    call_id TEXT NOT NULL PRIMARY KEY,
    switch TEXT NOT NULL,
    account TEXT NOT NULL,
    customer TEXT NOT NULL,
    direction TEXT NOT NULL,
    number TEXT NOT NULL,
    caller TEXT NOT NULL,
    number_class TEXT NOT NULL,
    route TEXT NOT NULL,
    channel TEXT NOT NULL,
    started_at DOUBLE PRECISION NOT NULL,
    started_by BIGINT NOT NULL,
    answered_at DOUBLE PRECISION,
    answered_by BIGINT,
    ended_at DOUBLE PRECISION,
    ended_by BIGINT,
    told_msec BIGINT NOT NULL,
    hangup_cause BIGINT,
    sip_code BIGINT,
    refusal TEXT NOT NULL,
    outcome TEXT NOT NULL,
    billed_msec BIGINT NOT NULL,
    answered_msec BIGINT NOT NULL,
    born BIGINT NOT NULL,
    change BIGINT NOT NULL,
    writer BIGINT NOT NULL
);

-- All that usage is made of, in the order it is grouped by: a restart reads this and not the table.
CREATE INDEX call_usage ON call
    (account, customer, direction, number_class, outcome, started_at, billed_msec, answered_msec);
CREATE INDEX call_account ON call (account, started_at);
CREATE INDEX call_customer ON call (customer, started_at);
CREATE UNIQUE INDEX call_change ON call (change);
CREATE INDEX call_live ON call (switch) WHERE outcome IN ('ringing', 'talking');

-- What a row said before a late fact about a finished call changed it: other processes that counted
-- the old version take it back. `change` is the change that came, `writer` who wrote the old version.
-- Kept for a day.
CREATE TABLE call_before (
    change BIGINT NOT NULL PRIMARY KEY,
    at DOUBLE PRECISION NOT NULL,
    call_id TEXT NOT NULL,
    body TEXT NOT NULL,
    writer BIGINT NOT NULL
);
CREATE INDEX call_before_call ON call_before (call_id, change);
CREATE INDEX call_before_at ON call_before (at);

CREATE TABLE decision (
    decision_id TEXT NOT NULL PRIMARY KEY,
    at DOUBLE PRECISION NOT NULL,
    call_id TEXT NOT NULL,
    account TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX decision_at ON decision (at);
CREATE INDEX decision_call ON decision (call_id, at);
CREATE INDEX decision_account ON decision (account, at);
