-- The latest end of a call of which a row of a switch's CDR file was read, in the switch's own time: what ended well
-- before that was written before that row, also where the switch holds rows back and writes many at once.
ALTER TABLE cdr_place ADD COLUMN ended_at DOUBLE PRECISION NOT NULL DEFAULT 0;
