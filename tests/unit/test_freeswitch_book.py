"""What FreeSWITCH's events mean where no recording shows it: inbound calls, gateways, verdicts, gaps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase, Refusal
from enforcer.errors import WireError
from enforcer.wire.channel import Identity
from enforcer.wire.esl import Message
from enforcer.wire.freeswitch import CallBook
from enforcer.wire.legs import SwitchNews
from tests.support.esl import event

IDENTITY = Identity("fs1", outbound_contexts=("accounts",), inbound_contexts=("trunk",))
T = 1_795_000_000


def at(seconds: float) -> str:
    return str(int((T + seconds) * 1_000_000))


def leg(name: str, uuid: str, /, **headers: str) -> Message:
    """An event about a channel that came in from an account, unless the headers say otherwise."""
    return event(
        name,
        **{
            "Core_UUID": "run-1", "Unique_ID": uuid, "Channel_Name": f"sofia/internal/{uuid}@x",
            "Call_Direction": "inbound", "Caller_Context": "accounts",
            "Caller_Destination_Number": "2025550142", "Caller_Caller_ID_Number": "1000",
            "Caller_Channel_Created_Time": at(0),
            "Caller_Channel_Answered_Time": "0", **headers,
        },
    )  # fmt: skip


def created(uuid: str, /, **headers: str) -> Message:
    return leg("CHANNEL_CREATE", uuid, **headers)


def answered(uuid: str, /, **headers: str) -> Message:
    return leg("CHANNEL_ANSWER", uuid, **{"Caller_Channel_Answered_Time": at(2), **headers})


def ended(uuid: str, /, **headers: str) -> Message:
    more = {"Hangup_Cause": "NORMAL_CLEARING", "Caller_Channel_Hangup_Time": at(5), **headers}
    return leg("CHANNEL_HANGUP_COMPLETE", uuid, **more)


def dialled(uuid: str, by: str, /, **headers: str) -> Message:
    return created(uuid, Call_Direction="outbound", variable_originator=by, **headers)


def told(book: CallBook, *messages: Message) -> list[Any]:
    return [fact for message in messages for fact in book.read(message, 7.0)]


def test_the_directorys_account_is_there_from_the_start() -> None:
    (fact,) = told(CallBook(IDENTITY), created("a", variable_accountcode="acme"))
    assert fact.attempt == CallAttempt(
        "fs1/a", "fs1", "acme", Direction.OUTBOUND, "2025550142", "1000", float(T), channel="a"
    )


def test_an_account_that_the_dialplan_changes_later_stays_the_first() -> None:
    book = CallBook(IDENTITY)
    facts = told(book, created("a", variable_accountcode="acme"), ended("a", variable_accountcode="globex"))
    assert {fact.attempt.account for fact in facts} == {"acme"}


def test_the_endpoint_is_the_directorys_user() -> None:
    identity = Identity("fs1", ("accounts",), ("trunk",), account_from="endpoint")
    (fact,) = told(CallBook(identity), created("a", variable_user_name="1000", variable_accountcode="acme"))
    assert fact.attempt.account == "1000"


def test_the_carrier_is_the_gateway_that_the_first_leg_went_to() -> None:
    book = CallBook(IDENTITY)
    told(book, created("a"), dialled("b", "a", variable_sip_gateway_name="telco"))
    told(book, dialled("c", "a", variable_sip_gateway_name="other"))
    (fact,) = told(book, ended("a"))
    assert (fact.attempt.route, fact.legs) == ("telco", "b c")


def test_an_inbound_call_is_its_called_partys_once_the_dialplan_has_named_it() -> None:
    book = CallBook(IDENTITY)
    inbound = {"Caller_Context": "trunk", "variable_sip_gateway": "telco"}
    (begun,) = told(book, created("a", variable_accountcode="telco-in", **inbound))
    assert (begun.attempt.account, begun.attempt.route) == ("", "telco")
    (up,) = told(book, answered("a", variable_accountcode="telco-in", **inbound))
    assert up.attempt.account == "", "the trunk's own account is nobody's"
    (over,) = told(book, ended("a", variable_accountcode="acme", **inbound))
    assert (over.attempt.account, over.attempt.direction) == ("acme", Direction.INBOUND)


def test_an_inbound_call_is_the_users_that_it_rings_first() -> None:
    identity = Identity("fs1", ("accounts",), ("trunk",), account_from="endpoint")
    book = CallBook(identity)
    told(book, created("a", Caller_Context="trunk"), dialled("b", "a", variable_dialed_user="1001"))
    (over,) = told(book, ended("a", Caller_Context="trunk"))
    assert over.attempt.account == "1001"


@pytest.mark.parametrize(
    ("verdict", "cause", "legs", "refusal"),
    [
        ("block", "CALL_REJECTED", 0, Refusal.BLOCKED),
        ("throttle", "NORMAL_TEMPORARY_FAILURE", 0, Refusal.SHED),
        ("throttle", "SWITCH_CONGESTION", 0, Refusal.SHED),
        ("throttle", "NORMAL_TEMPORARY_FAILURE", 1, Refusal.WENT),      # held, then the carrier's 503
        ("throttle", "ORIGINATOR_CANCEL", 0, Refusal.WENT),             # gave up while it was held
        ("allow", "USER_BUSY", 1, Refusal.WENT),
        (None, "CALL_REJECTED", 0, Refusal.NONE),
    ],
)
def test_what_our_answer_did_is_told_by_our_own_variable(
    verdict: str | None, cause: str, legs: int, refusal: Refusal
) -> None:
    book = CallBook(IDENTITY)
    told(book, created("a"), *[dialled(f"b{i}", "a") for i in range(legs)])
    more = {"variable_ENF_VERDICT": verdict} if verdict else {}
    (over,) = told(book, ended("a", Hangup_Cause=cause, **more))
    assert over.refusal is refusal


def test_what_was_answered_was_not_refused() -> None:
    book = CallBook(IDENTITY)
    told(book, created("a"), answered("a"))
    (over,) = told(book, ended("a", variable_ENF_VERDICT="block", variable_sip_term_status="200"))
    assert (over.refusal, over.sip_code, over.answered_at) == (Refusal.NONE, None, T + 2.0)


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"variable_last_app": "respond", "variable_last_arg": "403 Blocked by policy"}, 403),
        ({"variable_last_app": "respond", "variable_last_arg": "${evil} 403"}, None),
        ({"variable_last_app": "log", "variable_last_arg": "403"}, None),
        ({"variable_sip_invite_failure_status": "503"}, 503),
        ({"variable_sip_term_status": "487", "variable_sip_invite_failure_status": "503"}, 487),
        ({"variable_sip_term_status": "x" * 999}, None),
    ],
)
def test_the_sip_code_is_what_the_switch_says_the_caller_was_sent(
    variables: dict[str, str], code: int | None
) -> None:
    book = CallBook(IDENTITY)
    told(book, created("a"))
    (over,) = told(book, ended("a", **variables))
    assert over.sip_code == code


def test_a_call_whose_beginning_we_missed_is_told_by_its_end() -> None:
    facts = told(
        CallBook(IDENTITY),
        ended(
            "a", Caller_Context="moved-on", Caller_Destination_Number="late", variable_accountcode="acme",
            variable_enforcer_direction="outbound", variable_enforcer_number="2025550142",
            Caller_Channel_Answered_Time=at(2),
        ),
    )  # fmt: skip
    (over,) = facts
    assert (over.phase, over.attempt.number, over.attempt.account) == (Phase.ENDED, "2025550142", "acme")
    assert (over.attempt.at, over.answered_at, over.at) == (T, T + 2.0, T + 5.0)


def test_a_leg_whose_beginning_we_missed_is_no_call() -> None:
    assert told(CallBook(IDENTITY), ended("b", Call_Direction="outbound", variable_originator="a")) == []
    assert told(CallBook(IDENTITY), ended("b", Channel_Name="loopback/x-b")) == []


def test_a_beginning_told_twice_is_one() -> None:
    book = CallBook(IDENTITY)
    facts = told(book, created("a"), created("a"), dialled("b", "a"), dialled("b", "a"), ended("a"))
    assert [fact.phase for fact in facts] == [Phase.STARTED, Phase.ENDED]
    assert facts[-1].legs == "b"


def test_a_call_that_dials_again_after_its_answer_may_talk_to_somebody_else() -> None:
    book = CallBook(IDENTITY)
    told(book, created("a"), dialled("b", "a"), answered("a"))
    assert not book.moved("fs1/a")
    told(book, dialled("c", "a"))
    assert book.moved("fs1/a")


def test_a_channel_that_is_renamed_stays_the_same_call() -> None:
    book = CallBook(IDENTITY)
    facts = told(book, created("a"), leg("CHANNEL_UUID", "n", Old_Unique_ID="a"), answered("n"), ended("n"))
    assert [fact.phase for fact in facts] == [Phase.STARTED, Phase.ANSWERED, Phase.ENDED]
    assert {fact.attempt.call_id for fact in facts} == {"fs1/a"}
    assert facts[-1].attempt.channel == "n"
    assert book.legs == 0


def test_another_run_of_the_switch_is_news() -> None:
    book = CallBook(IDENTITY)
    told(book, created("a"))
    assert told(book, leg("SHUTDOWN", "-")) == [SwitchNews.SHUTDOWN]
    assert told(book, created("b", Core_UUID="run-2"))[0] is SwitchNews.BOOTED


QUESTION = CallAttempt(
    "fs1/a", "fs1", "acme", Direction.OUTBOUND, "2025550199", "1000", T + 9.0, channel="b", route="telco"
)


def test_a_question_names_the_account_and_carrier_of_a_call() -> None:
    book = CallBook(IDENTITY)
    told(book, created("a"))
    assert book.asked(QUESTION) == []
    (over,) = told(book, ended("a"))
    assert (over.attempt.account, over.attempt.route, over.attempt.number) == ("acme", "telco", "2025550142")


def test_a_transferred_leg_that_asks_again_leads_its_call_to_the_end() -> None:
    book = CallBook(IDENTITY)
    told(book, created("a"), dialled("b", "a"), answered("a"), ended("a"))
    assert book.asked(QUESTION) == []
    (over,) = told(book, ended("b", Call_Direction="outbound", variable_originator="a"))
    assert (over.attempt.call_id, over.phase) == ("fs1/a", Phase.ENDED)
    assert book.legs == 0


def test_a_call_that_the_switch_placed_begins_answered_when_it_asks() -> None:
    book = CallBook(IDENTITY)
    told(book, created("b", Call_Direction="outbound"), answered("b", Call_Direction="outbound"))
    (up,) = book.asked(replace(QUESTION, call_id="fs1/b"))
    assert isinstance(up, CallEvent)
    assert (up.phase, up.at) == (Phase.ANSWERED, T + 2.0)


def test_a_call_that_the_switch_placed_and_nobody_answered_is_nobodys() -> None:
    book = CallBook(IDENTITY)
    facts = told(book, created("b", Call_Direction="outbound"), ended("b", Call_Direction="outbound"))
    assert facts == []
    assert book.legs == 0


def test_a_call_that_the_switch_placed_and_that_dialled_nobody_is_told_at_its_end() -> None:
    book = CallBook(IDENTITY)
    placed = {"Call_Direction": "outbound", "variable_accountcode": "acme"}
    facts = told(
        book, created("b", **placed), answered("b", **placed),
        ended("b", **placed, Caller_Channel_Answered_Time=at(2)),
    )  # fmt: skip
    assert [fact.phase for fact in facts] == [Phase.STARTED, Phase.ANSWERED, Phase.ENDED]
    assert {fact.attempt.at for fact in facts} == {T + 2.0}


def test_past_its_bound_the_book_forgets_the_oldest() -> None:
    book = CallBook(IDENTITY, most_legs=3)
    told(book, *[created(f"a{i}") for i in range(5)])
    assert (book.legs, book.evicted, list(book.live())) == (3, 2, ["a2", "a3", "a4"])


@pytest.mark.parametrize("uuid", ["", "a b", "a\nb", "x" * 129, "ü"])
def test_a_channel_without_an_id_is_a_wire_error(uuid: str) -> None:
    with pytest.raises(WireError):
        CallBook(IDENTITY).read(created("-", Unique_ID=uuid), 7.0)


def test_a_number_holds_no_control_characters_and_ends_somewhere() -> None:
    (fact,) = told(CallBook(IDENTITY), created("a", Caller_Destination_Number="1\r\n2" + "3" * 999))
    assert isinstance(fact, CallEvent)
    assert fact.attempt.number == "1\ufffd\ufffd2" + "3" * 124


def test_call_that_the_hook_let_through_after_an_emergency_call_is_told_as_one() -> None:
    """Before it is answered, by the leg that is dialled for it; and by its own later events."""
    book, helped = CallBook(IDENTITY), {"variable_enf_helped": f"{T - 60}:acme"}
    told(book, created("a", Caller_Context="trunk"))
    (fact,) = told(book, dialled("b", "a", **helped))
    assert (fact.phase, fact.callback, fact.since) == (Phase.STARTED, True, float(T - 60))
    assert (fact.attempt.account, fact.attempt.direction) == ("acme", Direction.INBOUND)
    assert [one.callback for one in told(book, answered("a", **helped))] == [True, False]
    assert [(one.callback, one.attempt.account) for one in told(book, ended("a", **helped))] == [
        (True, "acme"), (False, "acme"),
    ]
    # Of a call whose beginning was missed, too.
    facts = told(CallBook(IDENTITY), ended("c", Caller_Context="trunk", **helped))
    assert [(one.callback, one.attempt.account) for one in facts] == [(True, "acme"), (False, "acme")]


@pytest.mark.parametrize("told_as", ["", ":acme", "soon:acme", "-5:acme", "9" * 12])
def test_call_with_no_sensible_word_of_an_emergency_call_is_an_ordinary_one(told_as: str) -> None:
    book = CallBook(IDENTITY)
    told(book, created("a", Caller_Context="trunk"))
    assert [one.callback for one in told(book, answered("a", variable_enf_helped=told_as))] == [False]
