-- A call remembers which legs were dialled for it, for policies that count those: their names, and how many
-- seizures that makes. And text messages are kept beside calls, as attempts that nobody answers.
ALTER TABLE call ADD COLUMN legs TEXT NOT NULL DEFAULT '';
ALTER TABLE call ADD COLUMN medium TEXT NOT NULL DEFAULT 'call';
ALTER TABLE call ADD COLUMN seizures BIGINT NOT NULL DEFAULT 1;
