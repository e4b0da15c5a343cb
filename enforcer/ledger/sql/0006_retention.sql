-- Which links of the chain were pruned: stretches of decisions, with the seals around them, and the link of
-- the checkpoint that vouches for them. And since when calls of a customer are gone.
CREATE TABLE pruned (
    first BIGINT NOT NULL PRIMARY KEY,
    last BIGINT NOT NULL,
    before TEXT NOT NULL,
    seal TEXT NOT NULL,
    checkpoint BIGINT NOT NULL
);
CREATE INDEX pruned_last ON pruned (last);
CREATE INDEX pruned_checkpoint ON pruned (checkpoint, first);
CREATE TABLE calls_pruned (
    customer TEXT NOT NULL PRIMARY KEY,
    before DOUBLE PRECISION NOT NULL,
    at DOUBLE PRECISION NOT NULL
);

-- How far chain and calls had come by when. `seconds` is the time that was lived until then: what a clock
-- jumps over does not count. Kept as long as retention asks for it.
CREATE TABLE lived (
    number BIGINT NOT NULL PRIMARY KEY,
    at DOUBLE PRECISION NOT NULL,
    seconds DOUBLE PRECISION NOT NULL,
    link BIGINT NOT NULL,
    change BIGINT NOT NULL
);

-- The checkpoint up to which everything was removed that was to be.
INSERT INTO mark (name, value) VALUES ('prune', 0);

-- Ends of the chain that somebody noted elsewhere: pruning keeps their seals, so that each can be proved.
CREATE TABLE told (
    link BIGINT NOT NULL PRIMARY KEY
);
