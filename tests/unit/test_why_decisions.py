"""Why one call was treated as it was: refused, held by notice, capped by a mode, exempt."""

from __future__ import annotations

import pytest

from enforcer.control.commands import Known, SetMode, act
from enforcer.domain.call import CallAttempt, CallEvent, Direction, Medium, Phase
from enforcer.domain.decision import Level
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.mode import Mode
from enforcer.domain.notice import About, Audience, Notice, Stage, created, notice_id, step
from enforcer.errors import BadInput
from enforcer.packs import loads
from enforcer.wire.answer import SIP_CODES
from tests.support.desk import NOW, Desk

HEAD = '[pack]\nname = "house"\nrevision = "7"\n'
DAY = 86_400.0


def pack(*rules: str) -> str:
    return HEAD + "".join(f'[[rule]]\nclause = "clause {n}"\n{one}\n' for n, one in enumerate(rules, 1))


FEW = pack('id = "few"\nkind = "attempts"\ncritical = { at = 2, verdict = "block" }')
NOTICED = FEW + 'notice = { grace = "7d", holds = "90d" }\n'


def third(desk: Desk) -> str:
    """The decision on the call that is one too many."""
    desk.call(1, 60)
    desk.call(2, None)
    return desk.call(3, None)


def test_a_refused_call_shows_the_calls_that_were_counted_and_when_it_begins_anew() -> None:
    desk = Desk(FEW, Mode.BLOCK)
    said = desk.said(third(desk))
    assert "blocked with 403" in said
    assert "rule few (critical), clause: clause 1" in said
    assert "over 2 attempts, calls are refused with 403" in said
    assert "1 completed: pbx1/1" in said
    assert "1 not answered: pbx1/2" in said
    assert "1 blocked by enforcement: pbx1/3" in said
    assert "Rule few begins anew on 2026-12-01 00:00:00 EST." in said


def test_programs_are_told_the_same_of_a_decision() -> None:
    desk = Desk(NOTICED, Mode.BLOCK)
    (finding,) = desk.why(third(desk)).facts["findings"]
    assert finding["window"] == {"label": "2026-11", "from": "2026-11-01T00:00:00.000-04:00",
                                 "until": "2026-12-01T00:00:00.000-05:00"}
    assert finding["mode_in_force"]["who"] == "alice"
    assert finding["means"].startswith("Over the billing cycle of an account")
    assert finding["notice_today"]["open"] is False
    assert [part["calls"] for part in finding["counted"]] == [["pbx1/1"], ["pbx1/2", "pbx1/3"]]


def test_a_sip_trace_leads_to_the_call_and_its_decision() -> None:
    desk = Desk(FEW, Mode.BLOCK)
    third(desk)
    decision = desk.call(4, None, sip_call_id="3c26@192.0.2.7")
    assert desk.said("3c26@192.0.2.7").startswith("call pbx1/4 (SIP Call-ID 3c26@192.0.2.7)\n")
    (told,) = desk.why("3c26@192.0.2.7").facts["decisions"]
    assert (told["decision"], told["sip_call_id"]) == (decision, "3c26@192.0.2.7")
    # As it stands in a trace, with what is not kept of it.
    assert desk.why("3c26(@192.0.2.7)").facts == desk.why("3c26@192.0.2.7").facts


def test_calls_that_came_with_one_call_id_are_all_told() -> None:
    desk = Desk(FEW, Mode.BLOCK)
    decisions = [desk.call(serial, None, sip_call_id="mine") for serial in (1, 2, 3)]
    told = desk.why("mine")
    assert told.title == "SIP Call-ID mine"
    assert [one["decision"] for one in told.facts["decisions"]] == decisions[::-1]
    assert "More than one call came with it" in told.lines[0]


@pytest.mark.parametrize("name", ["acme", "pbx1/1", "1"])
def test_no_call_id_of_a_callers_choice_hides_an_account_or_a_call(name: str) -> None:
    desk = Desk(FEW, Mode.BLOCK)
    desk.call(1, 60)
    before = desk.why(name).title
    desk.call(2, None, sip_call_id=name)
    assert desk.why(name).title == before


def test_calls_after_the_decision_are_not_behind_it() -> None:
    desk = Desk(FEW)
    decision = third(desk)
    desk.call(4, None)
    assert "2 not answered: pbx1/2, pbx1/3\n" in desk.said(decision)


def test_calls_that_were_in_progress_then_are_told_as_they_stand_now() -> None:
    desk = Desk(FEW)
    attempt = CallAttempt("pbx1/0", "pbx1", "acme", Direction.OUTBOUND, "12025550123", "100", desk.now)
    desk.admission.admit(attempt)
    decision = third(desk)
    remark = "(these calls as their records stand now; some were in progress then)"
    assert remark not in desk.said(decision)
    desk.admission.observe(CallEvent(Phase.ENDED, attempt, desk.now))
    assert remark in desk.said(decision)


def about_level(desk: Desk) -> Notice:
    name = notice_id(Audience.CUSTOMER, About.LEVEL, "acme-inc", "acme", "few", Level.CRITICAL, "2026-11")
    return Notice(name, Audience.CUSTOMER, About.LEVEL, "acme-inc", "acme", "few", Level.CRITICAL, "2026-11",
                  desk.now, 7 * DAY, 90 * DAY)


def test_a_call_held_by_notice_says_so_and_what_would_let_the_rule_act() -> None:
    desk = Desk(NOTICED, Mode.BLOCK)
    said = desk.said(third(desk))
    assert "The call was allowed, and tagged" in said
    assert "held at tag, no notice was given yet; today: none was given yet, so it only tags; " in said
    assert "delivered now, it could act from 2026-11-28 20:05:13 EST (7 days of grace)" in said
    assert "Once a notice about few is delivered and 7 days of grace are over, it may block." in said


def test_a_notice_that_could_not_be_delivered_is_named_with_its_problem() -> None:
    desk = Desk(NOTICED, Mode.BLOCK)
    notice = about_level(desk)
    desk.ledger.put([created(notice), step(notice, Stage.SENT, desk.now),
                     step(notice, Stage.FAILED, desk.now, problem="no route to host")])
    said = desk.said(third(desk))
    assert "held at tag, its notice was not delivered" in said
    assert f"{notice.id} (critical) could not be delivered, tried once (no route to host)" in said
    assert f"`enforcer notice ack {notice.id}` puts on record that the customer was told by other" in said


def test_a_notice_that_was_withdrawn_opens_nothing() -> None:
    desk = Desk(NOTICED, Mode.BLOCK)
    notice = about_level(desk)
    desk.ledger.put([created(notice), step(notice, Stage.CLOSED, desk.now, how="withdrawn")])
    said = desk.said("acme")
    closed = "was closed before it was delivered (withdrawn)"
    assert f"{closed}; until one is delivered, the rule only tags" in said


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (1 * DAY, "its time of grace ends on 2026-11-28 20:05:10 EST, until then it only tags"),
        (8 * DAY, "it may act until 2027-02-26 20:05:10 EST"),
        (98 * DAY, "that held until 2027-02-26 20:05:10 EST, so a new one has to come first"),
    ],
)
def test_an_account_shows_where_its_notice_stands(after: float, words: str) -> None:
    desk = Desk(NOTICED, Mode.BLOCK)
    notice = about_level(desk)
    desk.ledger.put([created(notice), step(notice, Stage.DELIVERED, desk.now)])
    desk.now += after
    said = desk.said("acme")
    assert f"notice: {notice.id} (critical) was delivered on 2026-11-21 20:05:10 EST; {words}" in said


def test_a_call_capped_by_a_mode_says_whose_word_that_is_and_what_would_lift_it() -> None:
    desk = Desk(FEW, Mode.TAG)
    said = desk.said(third(desk))
    assert "allowed, and tagged (mode block would have said: block)" in said
    alice = "account acme, set by alice 2026-11-21 20:04:10 EST (complaint)"
    assert f"mode tag: {alice}; it asked for block" in said
    assert "`enforcer mode set block --account acme --rule few` puts that verdict in force." in said
    assert "`enforcer mode set monitor --account acme --rule few` lets its calls go untouched." in said


def test_a_call_under_the_site_ceiling_is_sent_to_the_ceiling() -> None:
    desk = Desk(FEW, Mode.BLOCK)
    act(SetMode(Mode.TAG, ceiling=True, who="bob"), desk.ledger, Known(), NOW)
    desk.modes.put(desk.ledger.modes()[-1])
    said = desk.said(third(desk))
    assert "mode tag: site ceiling, set by bob" in said
    assert "The site ceiling stood at tag: `enforcer mode ceiling block` or above lets that verdict" in said


def test_a_mode_of_one_switch_is_told_apart() -> None:
    desk = Desk(FEW)
    act(SetMode(Mode.TAG, switch="pbx1", who="bob"), desk.ledger, Known((), ("pbx1",)), NOW)
    act(SetMode(Mode.BLOCK, account="acme", rule="few", switch="pbx1"), desk.ledger,
        Known(("few",), ("pbx1",)), NOW)
    desk.call(1, None)
    said = desk.said("acme")
    assert "mode monitor: default of the configuration" in said
    assert "On switch pbx1: mode tag: switch pbx1, set by bob" in said
    assert "On switch pbx1, rule few: mode block: account acme, rule few, switch pbx1" in said


def test_an_emergency_call_is_exempt_and_nothing_changes_that() -> None:
    desk = Desk(FEW, Mode.BLOCK)
    third(desk)
    decision = desk.call(9, 60, "911")
    assert "allowed: exempt: emergency call." in desk.said(decision)
    told = desk.why("9")
    assert "An emergency call: no rule counts it, no rule is read for it, nothing stops it." in told.lines
    assert "Nothing changes that: no rule, mode or standing is looked at for an emergency call." in told.lines
    assert told.facts["counted"] == {}


def test_a_call_of_no_account_says_where_accounts_are_told() -> None:
    desk = Desk(FEW, Mode.BLOCK)
    said = desk.said(desk.call(1, None, account=""))
    assert "exempt: belongs to no account" in said
    assert "see `account_from` of its switch in the configuration" in said


def test_a_call_says_as_what_each_rule_counts_it() -> None:
    desk = Desk(pack(
        'id = "asr"\nkind = "asr"\ncritical = { at = 4 }',
        'id = "costly"\nkind = "attempts"\nonly = ["premium"]\ncritical = { at = 4 }',
        'id = "now"\nkind = "concurrent_calls"\ncritical = { at = 4 }',
    ))
    desk.call(1, 5.0)
    assert desk.why("1").facts["counted"] == {"asr": "counts as short in 2026-11"}
    assert "  rule asr: counts as short in 2026-11" in desk.why("1").lines


def test_a_call_that_has_left_a_rolling_window_says_so() -> None:
    desk = Desk(pack('id = "r"\nkind = "attempts"\nwindow = "1h"\ncritical = { at = 2 }',
                     'id = "s"\nkind = "minutes"\nwindow = "1h"\ncritical = { at = 2 }'))
    desk.call(1, 60)
    assert "  rules r, s: counts as completed" in desk.why("1").lines
    desk.now += 3700
    assert "  rules r, s: counts no more: the window has moved past it" in desk.why("1").lines


def test_of_two_rules_that_block_both_have_to_be_lowered() -> None:
    desk = Desk(pack(
        'id = "few"\nkind = "attempts"\ncritical = { at = 2, verdict = "block" }',
        'id = "fail"\nkind = "failed_calls"\ncritical = { at = 10, verdict = "block" }',
    ), Mode.BLOCK)
    desk.call(1, 60)
    desk.call(2, None)
    said = desk.said(desk.call(3, None))
    for rule in ("few", "fail"):
        assert f"`enforcer mode set monitor --account acme --rule {rule}` lets its calls go" in said


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ('kind = "short_calls"\ncritical = { at = 20, verdict = "block" }',
         "2 completed calls in a row would bring it below its limit (20 %)"),
        ('kind = "failed_calls"\ncritical = { at = 20, verdict = "block" }',
         "1 answered call would bring it below its limit (20 %)"),
        ('kind = "duration_cliff"\ncritical = { at = 20, verdict = "block" }',
         "3 longer calls in a row would bring it below its limit (20 %)"),
        ('kind = "class_share"\nclasses = ["ordinary"]\ncritical = { at = 20, verdict = "block" }',
         "20 calls in a row to other numbers would bring it below its limit (20 %)"),
        ('kind = "average_duration"\ncritical = { at = 20, verdict = "block" }',
         "calls of 40 s in a row would bring it below its limit (20 s)"),
        ('kind = "cps"\ncritical = { at = 0.1, verdict = "block" }',
         "it ends as soon as calls are set up more slowly"),
    ],
)
def test_what_would_have_brought_it_below_is_told_by_the_numbers_of_then(rule: str, words: str) -> None:
    """Two completed (one only just), one short, one that nobody answered; all in mode monitor."""
    desk = Desk(pack(f'id = "r"\n{rule}'))
    for serial, talked in enumerate((60.0 if "average" not in rule else 20.0, 7.0, 2.0, None)):
        desk.call(serial, talked)
    assert words in desk.said(desk.call(9, None))


def test_a_rolling_rule_says_when_it_forgets() -> None:
    desk = Desk(pack('id = "r"\nkind = "attempts"\nwindow = "1h"\ncritical = { at = 2, verdict = "block" }'))
    said = desk.said(third(desk))
    assert "Rule r forgets calls after 1 hour." in said
    assert "window: since 2026-11-21 19:05:30 EST, until 2026-11-21 20:05:12 EST" in said


def test_a_rule_about_days_shows_the_edges_of_its_day() -> None:
    desk = Desk(pack('id = "r"\nkind = "attempts"\nwindow = "day"\ncritical = { at = 2, verdict = "block" }'))
    said = desk.said(third(desk))
    assert "window 2026-11-21, 2026-11-21 00:00:00 EST to 2026-11-22 00:00:00 EST" in said
    assert "Rule r begins anew on 2026-11-22 00:00:00 EST." in said


def test_signals_that_were_there_as_well_are_named() -> None:
    desk = Desk(pack('id = "r"\nkind = "attempts"\ncritical = { at = 2, verdict = "block" }\n'
                     'and = [{ kind = "failed_calls", at = 10 }]'))
    said = desk.said(third(desk))
    assert "and failed calls this cycle 1/2 = 50 %, limit 10 %" in said
    account = desk.said("acme")
    assert "and failed calls this cycle 2/3 = 66.667 %, limit 10 %: this signal is there" in account
    assert "it speaks only where all its signals are there as well" in account


OPTED = pack('id = "stop"\nkind = "opt_out"\ncritical = { at = 0, verdict = "block" }')


def test_a_call_to_who_opted_out_shows_the_entry() -> None:
    desk = Desk(OPTED, Mode.BLOCK)
    desk.ledger.put([JournalEntry(Kind.OPT_OUT, NOW - DAY, "+12025550123", "acme-inc", "acme",
                                  {"source": "message"})])
    said = desk.said(desk.call(1, None, "2025550123"))
    assert "+12025550123, of account acme, 2026-11-20 20:05:10 EST by message" in said
    assert "it ends when that number opts in again" in said
    assert "`enforcer optout remove +12025550123 --account acme` puts on record" in said


def test_a_message_is_called_a_message() -> None:
    desk = Desk(pack('id = "m"\nkind = "messages"\ncritical = { at = 0, verdict = "block" }'), Mode.BLOCK)
    desk.call(1, None, medium=Medium.MESSAGE)
    told = desk.why("pbx1/1")
    assert told.title == "message pbx1/1"
    assert any(line.startswith("The message was blocked with 403") for line in told.lines)


def test_a_repeat_infringer_is_shown_the_strikes_of_then() -> None:
    desk = Desk(pack('id = "again"\nkind = "strikes"\nwindow = { cycles = 6 }\n'
                     'critical = { at = 1, verdict = "block" }'), Mode.BLOCK)

    def strike(name: str) -> JournalEntry:
        return JournalEntry(Kind.STRIKE, desk.now, name, "acme-inc", "acme",
                            {"kind": "copyright", "at": desk.now, "who": "alice"})

    desk.ledger.put([strike("s-1")])
    decision = desk.call(1, None)
    desk.now += 5
    desk.ledger.put([strike("s-2")])
    said = desk.said(decision)
    assert "s-1: copyright of account acme" in said
    assert "s-2" not in said
    assert "`enforcer strike withdraw ID` takes one back." in said


def test_a_decision_of_an_older_revision_is_told_in_the_words_of_then() -> None:
    desk = Desk(FEW, Mode.BLOCK)
    decision = third(desk)
    desk.ledger.put([JournalEntry(Kind.POLICY, NOW, "house@7", body={"pack": "house", "text": FEW})])
    later = FEW.replace('"7"', '"8"').replace("at = 2", "at = 50").replace("clause 1", "another clause")
    desk.policy = loads([("house.toml", later)], SIP_CODES)
    said = desk.said(decision)
    assert "over 2 attempts, calls are refused with 403" in said
    assert "over 50 attempts" not in said


def test_where_the_older_revision_is_not_on_record_it_says_so() -> None:
    desk = Desk(FEW, Mode.BLOCK)
    decision = third(desk)
    desk.policy = loads([("house.toml", FEW.replace('"7"', '"8"'))], SIP_CODES)
    assert "(as house@8 says today; house@7 of that time is not on record)" in desk.said(decision)


def test_many_calls_are_told_by_the_first_and_last_and_all_by_request() -> None:
    desk = Desk(FEW)
    for serial in range(20):
        desk.call(serial, None)
    decision = desk.call(99, None)
    said = desk.said(decision)
    assert "21 not answered: pbx1/0, pbx1/1, pbx1/2 … pbx1/18, pbx1/19, pbx1/99" in said
    assert f"`enforcer why {decision} --all` lists every call." in said


def test_a_misspelt_id_of_lately_gets_a_suggestion() -> None:
    desk = Desk(FEW)
    decision = desk.call(17953, None)
    with pytest.raises(BadInput, match=rf"no such decision, call or account: '{decision}1'; did you mean"):
        desk.why(f"{decision}1")
    with pytest.raises(BadInput, match="did you mean 'pbx1/17953'"):
        desk.why("pbx1/17958")
