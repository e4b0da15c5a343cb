-- How far each switch was heard: the time of its last word (its own clock), the number of the last channel that it
-- made (-1 unknown), and which of its runs that was.
CREATE TABLE sight (
    switch TEXT NOT NULL PRIMARY KEY,
    heard_at DOUBLE PRECISION NOT NULL,
    serial BIGINT NOT NULL,
    boot TEXT NOT NULL
);

-- How far each switch's CDR file was read: which file that was, up to which byte, and the digest of its last
-- `line` bytes before that, which tell it from any other. Everything that was written since `since` is read;
-- `read_at` is when the end of the file was last seen.
CREATE TABLE cdr_place (
    switch TEXT NOT NULL PRIMARY KEY,
    device BIGINT NOT NULL,
    inode BIGINT NOT NULL,
    position BIGINT NOT NULL,
    line BIGINT NOT NULL,
    digest TEXT NOT NULL,
    since DOUBLE PRECISION NOT NULL,
    read_at DOUBLE PRECISION NOT NULL
);

-- A call whose end nobody saw, and that had not been answered by then, has a word of its own from here on.
UPDATE call SET outcome = 'unheard' WHERE outcome = 'unanswered' AND ended_by = 0;
-- Where only a CDR told the answer of a call whose end was heard, its seconds are those of the CDR: from a whole
-- second to an exact time is up to one too long. Of calls before this what the CDR said is not known; those of less
-- than two seconds may have lasted none.
UPDATE call SET billed_msec = 0
WHERE ended_by = 2 AND answered_by = 1 AND told_msec = 0 AND billed_msec < 2000 AND ended_at IS NOT NULL;
