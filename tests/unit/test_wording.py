"""Every kind of rule, and everything that a rule may say besides, as a sentence that can be held against its
clause."""

from __future__ import annotations

import pytest

from enforcer.domain.rules import KINDS
from enforcer.packs import loads
from enforcer.wording import describe

HEAD = '[pack]\nname = "p"\nrevision = "1"\n[[rule]]\nid = "r"\nclause = "c"\n'


def said(kind: str, rest: str) -> str:
    return describe(loads([("p.toml", f'{HEAD}kind = "{kind}"\n{rest}\n')], range(300, 700)).rules[0])


CYCLE = "Over the billing cycle of an account, outbound calls: "
TAGGED = "calls are tagged."
SENTENCES: dict[str, tuple[str, str]] = {
    "asr": ("critical = { at = 4 }", CYCLE + "from 4 attempts per completed call on, " + TAGGED
            + " Completed calls were answered and lasted at least 6 s."),
    "attempts": ("critical = { at = 1 }", CYCLE + "over 1 attempt, " + TAGGED),
    "average_duration": ("min_answered = 9\ncritical = { at = 60 }",
                         CYCLE + "once answered calls last less than 60 s on average, " + TAGGED
                         + " Nothing is judged below 9 answered calls."),
    "average_minutes": ("types = ['trunk']\ncritical = { at = 2000 }",
                        "Over the billing cycle of a customer, outbound calls of all accounts of type trunk: "
                        "more than 2000 minutes on average for each channel is a breach. It is settled when "
                        "the cycle is over; no call is touched."),
    "class_share": ("classes = ['premium']\ncritical = { at = 20 }",
                    CYCLE + "once more than 20 % of attempts go to premium numbers, " + TAGGED),
    "concurrent_calls": ("critical = { at = 3, verdict = 'throttle' }",
                         "At any moment, over all calls of an account, outbound calls: over 3 calls, calls "
                         "are refused with 503."),
    "cps": ("critical = { at = 5, verdict = 'throttle' }",
            "In any second, over all calls of an account, outbound calls: over 5 calls/s, calls are let "
            "through at 5 a second (held up to 2 s, then refused with 503)."),
    "diluted_average": ("types = ['pbx']\ncritical = { at = 1000 }",
                        "Over the billing cycle of a customer, outbound calls of all accounts of type pbx: "
                        "more than 1000 minutes on average for each account in use, where the average over "
                        "all of them is fine, is reported: those that use less than a twentieth of that are "
                        "not in use."),
    "distinct_callers": ("critical = { at = 3 }", CYCLE + "over 3 different caller numbers, " + TAGGED),
    "distinct_numbers": ("window = '24h'\ncritical = { at = 300 }",
                         "Over the last day of an account, outbound calls: over 300 different numbers, "
                         + TAGGED),
    "duration_cliff": ("critical = { at = 10 }",
                       CYCLE + "once more than 10 % of completed calls last less than 9 s, " + TAGGED
                       + " Completed calls were answered and lasted at least 6 s."),
    "failed_calls": ("breached = '>='\ncritical = { at = 25 }",
                     CYCLE + "once 25 % or more of attempts fail, " + TAGGED),
    "fair_share": ("critical = { at = 1, verdict = 'throttle' }",
                   "While more than 80 % of a switch is in use, over all calls of an account, outbound "
                   "calls: over the fair share of its channels, calls are refused with 503."),
    "messages": ("critical = { at = 100 }",
                 "Over the billing cycle of an account, outbound messages: over 100 messages, messages are "
                 "tagged."),
    "minutes": ("critical = { at = 3600 }", CYCLE + "once 3600 minutes are used, " + TAGGED),
    "opt_out": ("critical = { at = 0, verdict = 'block' }",
                "At any time, over all calls and messages of an account, outbound calls and messages: to a "
                "number that opted out, calls and messages are refused with 403."),
    "redials": ("critical = { at = 10 }",
                CYCLE + "over 10 calls that follow one to the same number within 60 s, " + TAGGED),
    "same_number": ("window = 'day'\ncritical = { at = 20 }",
                    "Over each day of an account, outbound calls: over 20 calls to one number, " + TAGGED),
    "sequential_numbers": ("critical = { at = 10 }", CYCLE + "over 10 numbers in a row, " + TAGGED),
    "short_calls": ("of = 'attempts'\nmin_attempts = 100\ncritical = { at = 15 }",
                    CYCLE + "once more than 15 % of attempts are short, " + TAGGED
                    + " Completed calls were answered and lasted at least 6 s. Nothing is judged below 100 "
                    "attempts."),
    "strikes": ("window = { cycles = 6 }\ncritical = { at = 2, verdict = 'block' }\npropose = 'terminate'",
                "At any time, over all calls and messages of an account, outbound calls and messages: from 2 "
                "strikes in 6 billing cycles on, calls and messages are refused with 403. It acts without "
                "notice. At the limit people are asked whether to terminate the account."),
}


def test_there_is_a_sentence_for_every_kind() -> None:
    assert set(SENTENCES) == set(KINDS)


@pytest.mark.parametrize("kind", sorted(SENTENCES))
def test_a_kind_is_a_sentence(kind: str) -> None:
    rest, sentence = SENTENCES[kind]
    assert said(kind, rest) == sentence


def test_one_is_not_several() -> None:
    rest = "window = { cycles = 1 }\ncritical = { at = 1, verdict = 'block' }"
    assert "from 1 strike in one billing cycle on" in said("strikes", rest)
    assert "over 1 attempt," in said("attempts", "critical = { at = 1 }")


BESIDES = [
    ("critical = { at = 9 }\nwithout = ['toll_free']\nroutes = ['carrier-a']",
     "Over the billing cycle of an account, outbound calls by way of carrier-a without those to toll free "
     "numbers: over 9 attempts, calls are tagged."),
    ("critical = { at = 9, verdict = 'block' }\nnotice = { grace = '7d', holds = '90d' }",
     "The customer is told first: it acts no earlier than 7 days after the notice was delivered, and for 90 "
     "days after that a further breach needs no new one."),
    ("critical = { at = 9 }\nattempt = 'leg'", "Each leg that is dialled is an attempt."),
    ("critical = { at = 9 }\nstrike = true", "A cycle that closes in breach is a strike."),
    ("critical = { at = 9 }\ncharge = { amount = '0.005', per = 'attempt', on = 'excess' }",
     "A cycle that closes in breach costs 0.005 USD for each attempt beyond the limit."),
    ("critical = { at = 9 }\nand = [{ kind = 'short_calls', at = 15 }]",
     "over 9 attempts, where also once more than 15 % of answered calls are short, calls are tagged."),
    ("critical = { at = 9 }\non_failure = 'closed'", "While nobody can be asked, calls are refused."),
    ("critical = { at = 9 }\nwindow = { period = 'month', anchor = 1, timezone = 'America/New_York' }",
     "Over each month from day 1 on (America/New_York) of an account"),
]


@pytest.mark.parametrize(("rest", "sentence"), BESIDES)
def test_what_a_rule_says_besides_is_a_sentence_too(rest: str, sentence: str) -> None:
    assert sentence in said("attempts", rest)
