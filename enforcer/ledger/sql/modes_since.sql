-- Mode settings that others made since a mark.
SELECT change
FROM mode_setting
WHERE change > :seen AND writer <> :lot
