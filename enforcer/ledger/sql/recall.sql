-- One call, for the books that have forgotten it. The columns of `CallRecord`, in its order.
SELECT
    call_id, switch, account, customer, direction, number, caller, number_class, route, channel,
    started_at, started_by, answered_at, answered_by, ended_at, ended_by, told_msec, hangup_cause,
    sip_code, refusal, legs, medium
FROM call
WHERE call_id = :call_id
