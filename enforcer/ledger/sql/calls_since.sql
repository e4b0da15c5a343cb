-- The next calls that others wrote, in the order of their last change: asked while decisions are made,
-- so no more of them than a few milliseconds' worth. The columns of `CallRecord`, then two marks.
SELECT
    call_id, switch, account, customer, direction, number, caller, number_class, route, channel,
    started_at, started_by, answered_at, answered_by, ended_at, ended_by, told_msec, hangup_cause,
    sip_code, refusal, legs, medium,
    born, change
FROM call
WHERE change > :at AND change <= :top AND writer <> :lot
ORDER BY change
LIMIT :most
