"""The call book beyond the recordings: resync, refusals, bounds, and calls whose beginning we missed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase, Refusal, Source
from enforcer.errors import WireError
from enforcer.wire.ami import Decoder, Message
from enforcer.wire.asterisk import CallBook, Fact
from enforcer.wire.asterisk_questions import Question
from enforcer.wire.asterisk_status import resync
from enforcer.wire.channel import (
    Identity,
    account_name,
    endpoint_of,
    event_time,
    number_in,
    started_by_serial,
)
from enforcer.wire.legs import SwitchNews

RECORDED = Path(__file__).parents[1] / "recorded" / "asterisk"
IDENTITY = Identity("pbx1", ("from-accounts",), ("from-trunk",), ("from-desks",))


def event(name: str, uniqueid: str = "pbx-100.1", linkedid: str = "", **headers: str) -> Message:
    known = {
        "Timestamp": "100.5", "Channel": "PJSIP/acme-00000001", "ChannelState": "4",
        "ChannelStateDesc": "Ring", "CallerIDNum": "acme", "AccountCode": "acme",
        "Context": "from-accounts", "Exten": "1000", "Priority": "1", "Uniqueid": uniqueid,
        "Linkedid": linkedid or uniqueid,
    }  # fmt: skip
    lines = [f"Event: {name}", *(f"{key}: {value}" for key, value in (known | headers).items())]
    return Message(name, "\r\n".join(lines).encode())


def leg(uniqueid: str, linkedid: str = "pbx-100.1", **headers: str) -> Message:
    defaults = {"Channel": "PJSIP/carrier-00000002", "ChannelStateDesc": "Down", "AccountCode": "trunk"}
    return event("Newchannel", uniqueid, linkedid, **(defaults | headers))


def asked(uniqueid: str = "pbx-100.1", linkedid: str = "", **headers: str) -> Message:
    defaults = {
        "UserEvent": "EnfAsk", "Account": "acme", "Direction": "outbound", "Number": "1000",
        "Context": "enforcer", "Exten": "s",
    }  # fmt: skip
    return event("UserEvent", uniqueid, linkedid, **(defaults | headers))


def up(uniqueid: str = "pbx-100.1", **headers: str) -> Message:
    return event("Newstate", uniqueid, ChannelState="6", ChannelStateDesc="Up", Timestamp="101.5", **headers)


def hangup(uniqueid: str = "pbx-100.1", linkedid: str = "", **headers: str) -> Message:
    defaults = {"Timestamp": "109.5", "Cause": "16", "Cause-txt": "?"}
    return event("Hangup", uniqueid, linkedid, **(defaults | headers))


def told(*messages: Message, book: CallBook | None = None) -> list[Fact]:
    book = book or CallBook(IDENTITY)
    return [fact for message in messages for fact in book.read(message, 0.0)]


def events(facts: list[Fact]) -> list[CallEvent]:
    return [fact for fact in facts if isinstance(fact, CallEvent)]


def questions(facts: list[Fact]) -> list[Question]:
    return [fact for fact in facts if isinstance(fact, Question)]


def inbound(name: str = "Newchannel", **headers: str) -> Message:
    defaults = {"Channel": "PJSIP/carrier-00000001", "Context": "from-trunk", "AccountCode": "trunk"}
    return event(name, **(defaults | headers))


# --- questions


def test_question_names_the_carrier_that_the_call_will_take() -> None:
    book = CallBook(IDENTITY)
    book.read(event("Newchannel", "pbx-100.1"), 0.0)
    (question,) = book.read(asked(Route="carrier-a"), 0.0)
    assert isinstance(question, Question)
    assert question.attempt.route == "carrier-a"


def test_a_route_that_came_twice_is_none() -> None:
    book = CallBook(IDENTITY)
    book.read(event("Newchannel", "pbx-100.1"), 0.0)
    forged = asked(Route="carrier-a")
    (question,) = book.read(Message("UserEvent", forged.raw + b"\r\nRoute: cheap"), 0.0)
    assert isinstance(question, Question)
    assert question.attempt.route == ""


def test_ending_names_the_legs_that_were_dialled() -> None:
    book = CallBook(IDENTITY)
    book.read(event("Newchannel", "pbx-100.1"), 0.0)
    book.read(leg("pbx-100.2"), 0.0)
    book.read(leg("pbx-100.3", Channel="PJSIP/other-00000003"), 0.0)
    (ended,) = book.read(hangup(), 0.0)
    assert isinstance(ended, CallEvent)
    assert ended.legs == "PJSIP/carrier-00000002 PJSIP/other-00000003"


def test_a_question_names_the_call_it_is_about_and_the_channel_that_waits() -> None:
    facts = told(event("Newchannel"), asked())
    (question,) = questions(facts)
    assert question.channel == "PJSIP/acme-00000001"
    assert question.attempt == events(facts)[0].attempt


def test_a_question_about_a_call_that_we_never_saw_begin_is_answered_all_the_same() -> None:
    book = CallBook(IDENTITY)
    ((question,), endings) = questions(told(asked(), book=book)), events(told(hangup(), book=book))
    assert (question.attempt.call_id, question.attempt.direction) == ("pbx1/pbx-100.1", Direction.OUTBOUND)
    assert endings[0].attempt == question.attempt
    assert book.legs == 0


def test_a_redirected_call_asks_on_its_local_channel_and_stays_one_call() -> None:
    local = {"Channel": "Local/1777@from-accounts-00000001;2", "Number": "1777"}
    facts = told(event("Newchannel"), asked(), leg("pbx-100.2"), asked("pbx-100.4", "pbx-100.1", **local))
    first, second = questions(facts)
    assert first.attempt.call_id == second.attempt.call_id
    assert (second.attempt.number, second.channel) == ("1777", local["Channel"])
    assert len(events(facts)) == 1


def test_a_transferred_leg_that_asks_again_ends_the_same_call_later() -> None:
    book = CallBook(IDENTITY)
    transferred = {"Channel": "PJSIP/carrier-00000002", "Number": "1002"}
    facts = told(
        event("Newchannel"), leg("pbx-100.2"), up(), hangup(ChannelState="6"),
        asked("pbx-100.2", "pbx-100.1", **transferred), leg("pbx-100.3"),
        hangup("pbx-100.3", "pbx-100.1", ChannelState="6"),
        hangup("pbx-100.2", "pbx-100.1", ChannelState="6", Timestamp="130.5"),
        book=book,
    )  # fmt: skip
    endings = [event for event in events(facts) if event.phase is Phase.ENDED]
    assert [(ending.attempt.call_id, ending.at) for ending in endings] == [
        ("pbx1/pbx-100.1", 109.5), ("pbx1/pbx-100.1", 130.5),
    ]  # fmt: skip
    assert book.legs == 0


def test_a_call_that_a_local_channel_leads_is_one_call_with_a_route() -> None:
    """AMI Originate of Local/1000@from-accounts: one half runs the dialplan and asks, its twin has the id."""
    book = CallBook(IDENTITY)
    local = {"Channel": "Local/1000@from-accounts-00000001;2"}
    twin = {"Channel": "Local/1000@from-accounts-00000001;1"}
    redirected = {"Channel": "Local/1777@from-accounts-00000002;2", "Number": "1777"}
    facts = told(
        asked("pbx-100.2", "pbx-100.1", **local), leg("pbx-100.3"),
        asked("pbx-100.5", "pbx-100.1", **redirected), up("pbx-100.2", **local),
        hangup("pbx-100.3", "pbx-100.1"), hangup("pbx-100.1", **twin), hangup("pbx-100.5", "pbx-100.1"),
        hangup("pbx-100.2", "pbx-100.1", ChannelState="6", **local),
        book=book,
    )  # fmt: skip
    assert {question.attempt.call_id for question in questions(facts)} == {"pbx1/pbx-100.1"}
    answered, ended = events(facts)
    assert (answered.phase, ended.phase, ended.attempt.route) == (Phase.ANSWERED, Phase.ENDED, "carrier")
    assert book.legs == 0


def test_a_leg_belongs_to_the_call_it_was_created_for_whatever_its_linkedid_becomes() -> None:
    facts = told(
        event("Newchannel", "pbx-100.1"), event("Newchannel", "pbx-100.5"), leg("pbx-100.6", "pbx-100.5"),
        asked("pbx-100.6", "pbx-100.1", Channel="PJSIP/carrier-00000006"),   # after an attended transfer
    )  # fmt: skip
    assert questions(facts)[0].attempt.call_id == "pbx1/pbx-100.5"


def test_other_user_events_are_not_questions() -> None:
    assert told(asked(UserEvent="SmsIn")) == []
    assert told(Message("UserEvent", b"Event: UserEvent\r\nUserEvent: EnfAskX")) == []


@pytest.mark.parametrize("name", ["a/b", "a b", "x" * 81, "acme\u0661", "a:b", ""])
def test_what_cannot_be_an_account_is_no_account(name: str) -> None:
    assert account_name(name) == ""
    facts = told(event("Newchannel", AccountCode=name), asked(Account=name))
    assert questions(facts)[0].attempt.account == ""


def test_the_account_that_a_call_began_with_stays() -> None:
    (question,) = questions(told(event("Newchannel"), asked(Account="globex")))
    assert question.attempt.account == "acme"


# --- whose an inbound call is


def test_an_inbound_call_is_nobodys_until_the_dialplan_asks_for_its_account() -> None:
    asks = {"UserEvent": "EnfAsk", "Account": "globex", "Direction": "inbound", "Number": "1000"}
    facts = told(inbound(), inbound("UserEvent", **asks))
    started = events(facts)[0].attempt
    assert (started.account, started.direction, started.route) == ("", Direction.INBOUND, "carrier")
    assert questions(facts)[0].attempt.account == "globex"


@pytest.mark.parametrize(
    ("told_by", "account"),
    [
        ([leg("pbx-100.2", Channel="PJSIP/globex-00000002", AccountCode="globex")], "globex"),
        ([leg("pbx-100.2", Channel="PJSIP/carrier-00000002", AccountCode="trunk")], ""),
        ([leg("pbx-100.2", AccountCode="trunk"), leg("pbx-100.3", AccountCode="globex")], "globex"),
        ([inbound("Newstate", ChannelStateDesc="Up", AccountCode="globex")], "globex"),
    ],
)
def test_or_until_it_rings_or_is_named_by_the_dialplan(told_by: list[Message], account: str) -> None:
    facts = told(inbound(), *told_by, inbound("Hangup", **{"Cause": "16", "Cause-txt": "?"}))
    assert events(facts)[-1].attempt.account == account


# --- endings


@pytest.mark.parametrize(
    ("headers", "refusal"),
    [
        ({"ChanVariable": "ENF_VERDICT=block", "Cause": "21", "TechCause": "403"}, Refusal.BLOCKED),
        ({"ChanVariable": "ENF_VERDICT=block", "Cause": "16"}, Refusal.BLOCKED),
        ({"ChanVariable": "ENF_VERDICT=throttle", "Cause": "42", "TechCause": "503"}, Refusal.SHED),
        ({"ChanVariable": "ENF_VERDICT=throttle", "Cause": "17", "TechCause": "486"}, Refusal.WENT),
        # held, then let go, and the carrier was congested
        ({"ChanVariable": "ENF_VERDICT=throttle", "Cause": "34", "TechCause": "503"}, Refusal.WENT),
        ({"ChanVariable": "ENF_VERDICT=allow", "Cause": "21", "TechCause": "403"}, Refusal.WENT),
        ({"ChanVariable": "ENF_VERDICT=", "Cause": "42", "TechCause": "503"}, Refusal.NONE),
        ({"CallerIDName": "ChanVariable: ENF_VERDICT=block", "Cause": "21"}, Refusal.NONE),
        ({"Cause": "21"}, Refusal.NONE),
    ],
)
def test_only_our_own_verdict_on_an_unanswered_call_is_a_refusal(
    headers: dict[str, str], refusal: Refusal
) -> None:
    assert events(told(event("Newchannel"), hangup(**headers)))[-1].refusal is refusal
    answered = events(told(event("Newchannel"), up(), hangup(**headers, ChannelState="6")))[-1]
    assert (answered.refusal, answered.sip_code) == (Refusal.NONE, None)


def test_a_call_that_we_declined_was_told_603_though_asterisk_does_not_say_so() -> None:
    """It tells no code for normal clearing, which is how it sends a 603; nor do we where one just ended."""
    refused = events(told(event("Newchannel"), hangup(ChanVariable="ENF_VERDICT=block", Cause="16")))[-1]
    ended = events(told(event("Newchannel"), hangup(ChanVariable="ENF_VERDICT=allow", Cause="16")))[-1]
    assert (refused.sip_code, ended.sip_code) == (603, None)


@pytest.mark.parametrize("direction", list(Direction))
def test_a_question_is_about_a_call_in_the_direction_that_the_dialplan_says(direction: Direction) -> None:
    facts = told(event("Newchannel"), asked(Direction=direction.value))
    assert [question.attempt.direction for question in questions(facts)] == [direction]
    nonsense = told(event("Newchannel"), asked(Direction="sideways"))
    assert [question.attempt.direction for question in questions(nonsense)] == [Direction.OUTBOUND]


def test_a_hangup_without_a_cause_is_still_an_ending() -> None:
    ending = events(told(event("Newchannel"), hangup(Cause="", TechCause="SIP 500")))[-1]
    assert (ending.phase, ending.hangup_cause, ending.sip_code) == (Phase.ENDED, None, None)


def test_the_end_of_a_call_whose_beginning_we_missed_says_when_it_began() -> None:
    (ending,) = events(told(hangup("pbx-1795309504.425", Timestamp="1795309510.5")))
    assert (ending.phase, ending.attempt.at, ending.at) == (Phase.ENDED, 1795309504.0, 1795309510.5)


@pytest.mark.parametrize(
    "message",
    [
        hangup("pbx-100.2", "pbx-100.1"),                          # a leg of a call we do not know
        hangup(Channel="Local/1000@x-00000001;2"),
        hangup(Channel="Message/ast_msg_queue"),
        hangup(Context="from-nowhere"),
        event("Newchannel", Channel="Message/ast_msg_queue"),
        event("Newchannel", Channel="Local/1000@x-00000001;1"),
        event("Newstate", ChannelStateDesc="Ringing"),
        up("pbx-100.9"),
    ],
)
def test_what_is_no_call_of_ours_yields_nothing_and_leaves_nothing(message: Message) -> None:
    book = CallBook(IDENTITY)
    assert told(message, book=book) == []
    assert book.legs == 0


def test_a_leg_that_the_switch_dialled_and_nobody_answered_is_no_attempt() -> None:
    book = CallBook(IDENTITY)
    assert told(event("Newchannel", ChannelStateDesc="Down"), hangup(), book=book) == []
    assert book.legs == 0


def test_repeated_events_add_nothing() -> None:
    facts = told(event("Newchannel"), event("Newchannel"), up(), up(), hangup())
    assert [fact.phase for fact in events(facts)] == [Phase.STARTED, Phase.ANSWERED, Phase.ENDED]


def test_the_switch_tells_about_itself() -> None:
    assert told(Message("FullyBooted", b"Event: FullyBooted"), Message("Shutdown", b"Event: Shutdown")) == [
        SwitchNews.BOOTED, SwitchNews.SHUTDOWN,
    ]  # fmt: skip


def test_an_event_without_its_ids_names_what_is_missing() -> None:
    with pytest.raises(WireError, match="Newchannel with AccountCode 0 times"):
        told(Message("Newchannel", b"Event: Newchannel\r\nChannel: PJSIP/x-00000001"))


# What callers may write: Asterisk cuts a number after 79 bytes, and passes on its line breaks.
FORGED = {
    "ids of another call": "1|Uniqueid: pbx-100.1|Linkedid: pbx-100.1",
    "an event of its own": "1||Event: Hangup|Uniqueid: pbx-100.1",
    "an event of its own, cut": "1||Event: Hangup|Channel: |Uniqueid: pbx-100.1|Cause: 16||",
    "the end of this one, cut": "|Priority: 1|Uniqueid: pbx-100.1|Linkedid: |Cause: ||",
    "the whole end, cut": "|Priority: |Uniqueid: pbx-100.1|Linkedid: |Cause: |Cause-txt: ||",
    "another account": "1|AccountCode: globex|Account: globex",
}       # | is CR LF


@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("header", ["Exten", "CallerIDNum"])
@pytest.mark.parametrize("name", ["Newchannel", "Newstate", "Hangup", "UserEvent"])
def test_a_caller_whose_number_has_line_breaks_speaks_for_nobody(name: str, header: str, text: str) -> None:
    text = text.replace("|", "\r\n")
    assert len(text) <= 79
    book = CallBook(IDENTITY)
    told(event("Newchannel"), book=book)
    more = {
        "Hangup": {"Cause": "16", "Cause-txt": "?"}, "Newstate": {"ChannelStateDesc": "Up"},
        "UserEvent": {"UserEvent": "EnfAsk", "Account": "acme", "Direction": "outbound", "Number": "1"},
    }.get(name, {})
    sent = event(name, "pbx-200.1", **({header: text} | more)).raw + b"\r\n\r\n"
    facts = []
    for message in Decoder().feed(b"Asterisk Call Manager/11.0.0\r\n" + sent):
        with contextlib.suppress(WireError):
            facts += book.read(message, 0.0)
    assert facts == []
    assert list(book.live()) == ["pbx-100.1"]


# --- bounds


def test_memory_is_bounded_and_an_evicted_call_still_ends() -> None:
    book = CallBook(IDENTITY, most_legs=10)
    for serial in range(25):
        told(event("Newchannel", f"pbx-100.{serial}"), book=book)
    assert (book.legs, book.live_calls, book.evicted) == (10, 10, 15)
    assert [fact.phase for fact in events(told(hangup("pbx-100.0"), book=book))] == [Phase.ENDED]


def test_the_names_of_unlisted_contexts_are_bounded() -> None:
    book = CallBook(IDENTITY)
    for serial in range(500):
        told(event("Newchannel", f"pbx-100.{serial}", Context=f"ctx-{serial}"), book=book)
        told(hangup(f"pbx-100.{serial}", Context=f"ctx-{serial}"), book=book)
    assert len(book.unlisted) == 100
    assert book.legs == 0


# --- level with the switch


def listing(name: str = "resync.ami", action_id: str = "st") -> list[Message]:
    messages = Decoder({"Status"}).feed((RECORDED / name).read_bytes())
    return [message for message in messages if message.get("ActionID") == action_id and message.name]


def recorded_book() -> CallBook:
    return CallBook(Identity("pbx1", ("from-customer",), ("from-carrier",)))


def test_a_recorded_listing_yields_the_calls_in_progress() -> None:
    """Seven channels: two calls with both legs, one ringing, one asking; a subroutine hides the last
    one's context, and this listing was asked for without CDR(dcontext)."""
    book = recorded_book()
    facts = resync(book, listing(), [], 0.0, 1795309662.5)
    attempts = [fact.attempt for fact in facts if fact.phase is Phase.STARTED]
    started = {
        attempt.call_id.rpartition(".")[2]: (attempt.account, attempt.number, attempt.direction)
        for attempt in attempts
    }
    assert started == {
        "519": ("acme", "1000", Direction.OUTBOUND),
        "521": ("acme", "8000", Direction.OUTBOUND),
        "523": ("", "4930", Direction.INBOUND),
    }
    assert {fact.attempt.call_id[-3:] for fact in facts if fact.phase is Phase.ANSWERED} == {"519", "523"}
    assert resync(book, listing(), book.known_legs(), 0.0, 1795309663.5) == [], "twice is once"


def status(uniqueid: str, *variables: str, **headers: str) -> Message:
    message = event("Status", uniqueid, **headers)
    lines = "".join(f"\r\nVariable: {variable}" for variable in variables)
    return Message("Status", message.raw + lines.encode())


def test_times_of_calls_in_progress_are_the_switchs_own() -> None:
    times = ("CDR(start,u)=90.250000", "CDR(answer,u)=95.500000")
    times += ("CDR(dcontext)=from-accounts", "CDR(dst)=1000")
    inside = {"Context": "enforcer", "Exten": "s", "ChannelState": "6"}
    started, answered = resync(CallBook(IDENTITY), [status("pbx-90.1", *times, **inside)], [], 0.0, 100.0)
    assert (started.at, started.attempt.number, answered.at) == (90.25, "1000", 95.5)


def test_an_answer_that_we_missed_is_told() -> None:
    book = CallBook(IDENTITY)
    told(event("Newchannel"), book=book)
    live = status("pbx-100.1", "CDR(answer,u)=101.250000", ChannelState="6")
    (answered,) = resync(book, [live], book.known_legs(), 100.5, 110.0)
    assert (answered.phase, answered.at) == (Phase.ANSWERED, 101.25)


def test_calls_that_are_gone_end_when_the_switch_was_last_heard_and_are_marked() -> None:
    book = CallBook(IDENTITY)
    told(event("Newchannel"), leg("pbx-100.2"), up(), event("Newchannel", "pbx-100.3"), book=book)
    first, second = resync(book, [], book.known_legs(), 104.75, 110.0)
    assert (first.at, first.answered_at, first.billsec, first.source) == (104.75, 101.5, 3.0, Source.INFERRED)
    assert (second.at, second.answered_at, second.hangup_cause) == (104.75, None, None)
    assert book.legs == 0


def test_a_call_that_began_while_we_were_listing_is_not_gone() -> None:
    book = CallBook(IDENTITY)
    before = book.known_legs()
    told(event("Newchannel"), book=book)
    assert resync(book, [], before, 0.0, 110.0) == []
    assert book.live_calls == 1


def test_a_call_restored_from_the_ledger_goes_on() -> None:
    book = CallBook(IDENTITY)
    attempt = CallAttempt("pbx1/pbx-100.1", "pbx1", "acme", Direction.OUTBOUND, "1000", "acme", 100.0)
    book.restore(attempt, 101.0)
    (ending,) = events(told(hangup(ChannelState="6"), book=book))
    assert (ending.attempt, ending.answered_at) == (attempt, 101.0)


# --- single headers


@pytest.mark.parametrize(
    ("channel", "endpoint"),
    [
        ("PJSIP/acme-000000ea", "acme"), ("PJSIP/trunk-carrier-000000ea", "trunk-carrier"),
        ("SIP/10.0.0.1-000000ea", "10.0.0.1"), ("PJSIP/acme", ""), ("", ""), ("DAHDI/1-1", ""),
    ],
)  # fmt: skip
def test_the_endpoint_is_in_the_channels_name(channel: str, endpoint: str) -> None:
    assert endpoint_of(channel) == endpoint


@pytest.mark.parametrize(
    ("text", "at"),
    [("100.5", 100.5), ("", 7.0), ("nan", 7.0), ("inf", 7.0), ("-1", 7.0), ("1e300", 7.0), ("x", 7.0)],
)
def test_a_time_that_is_none_is_replaced_by_our_own(text: str, at: float) -> None:
    assert event_time(event("Hangup", Timestamp=text), 7.0) == at
    assert event_time(Message("Hangup", b"Event: Hangup"), 7.0) == 7.0


@pytest.mark.parametrize(
    ("text", "value"), [("16", 16), ("", None), (None, None), ("-1", None), ("٣", None), ("9" * 10, None)]
)
def test_a_number_is_a_number_or_nothing(text: Any, value: int | None) -> None:
    assert number_in(text) == value


def test_the_serial_of_a_channel_tells_its_second() -> None:
    assert started_by_serial("1795309504.425") == 1795309504.0
    assert started_by_serial("lab-1-1795309504.425") == 1795309504.0
    assert started_by_serial("whatever") is None


def back(**headers: str) -> Message:
    """The hook let an inbound call through, as a call back."""
    more = {"UserEvent": "EnfBack", "Direction": "inbound", "Number": "12025550101", "Since": "90"}
    return asked(**(more | headers))


def test_call_that_the_hook_let_through_after_an_emergency_call_is_told_as_one() -> None:
    book = CallBook(IDENTITY)
    begun = event("Newchannel", Context="from-trunk", AccountCode="trunk", Exten="12025550101")
    told(begun, book=book)
    (fact,) = told(back(), book=book)
    assert isinstance(fact, CallEvent)
    assert (fact.phase, fact.callback, fact.since) == (Phase.STARTED, True, 90.0)
    assert (fact.attempt.account, fact.attempt.direction) == ("acme", Direction.INBOUND)
    (end,) = events(told(hangup(Context="from-trunk"), book=book))
    assert (end.attempt.account, end.callback) == ("acme", False)


@pytest.mark.parametrize("since", ["", "soon", "-1", "1e9", "9" * 12])
def test_call_back_with_no_sensible_time_is_one_all_the_same(since: str) -> None:
    (fact,) = events(told(event("Newchannel", Context="from-trunk"), back(Since=since)))[1:]
    assert (fact.callback, fact.since) == (True, None)


@pytest.mark.parametrize("forged", ["Since: 1795000000", "Account: globex", "Direction: outbound"])
def test_caller_cannot_write_into_what_is_told_of_a_call_back(forged: str) -> None:
    with pytest.raises(WireError, match="2 times"):
        told(event("Newchannel", Context="from-trunk"), back(CallerIDNum=f"1\r\n{forged}"))
