"""What a notice says, and that nothing of it can be made to say something else."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from enforcer.domain.account import Account, Standing
from enforcer.domain.charge import Charge, Per
from enforcer.domain.cycle import BillingCycle
from enforcer.domain.decision import Level, Verdict
from enforcer.domain.measure import Measure, Scope, Window
from enforcer.domain.mode import Mode
from enforcer.domain.notice import About, Audience, Gate, Notice, NoticeTerms, Stage, after, step
from enforcer.domain.policy import Pack
from enforcer.domain.rules import Rule
from enforcer.errors import BadInput
from enforcer.notices.templates import FIELDS, MOST_OF_A_SUBJECT, NAMES, Templates
from enforcer.notices.text import Stationery
from enforcer.notices.words import Breach
from tests.support.rules import NOON, rule

WEEK = NoticeTerms(7 * 86_400.0, 30 * 86_400.0)
PAPER = Stationery("lab", Templates(), "+1 212 555 0100")


def breach(
    one: Rule, level: Level = Level.CRITICAL, *, account: str = "acme", value: str = "4",
    mode: Mode = Mode.BLOCK, gate: Gate | None = None, pack: Pack | None = None,
) -> Breach:
    whose = Account(account, "big", timezone="America/New_York")
    span = BillingCycle(1, "America/New_York").at(NOON)
    return Breach(one, whose, level, value, "3", NOON, span, "America/New_York", mode, gate, pack)


def text(one: Breach, audience: Audience = Audience.CUSTOMER) -> str:
    return PAPER.reached(one, audience, "The customer is told.", "Big Inc").facts["text"]


def test_a_notice_names_clause_numbers_cycle_consequence_and_whom_to_call() -> None:
    charge = Charge(Decimal("0.005"), Per.ATTEMPT)
    said = text(breach(rule("attempts", 3, notice=WEEK, charge=charge, text="Normal use.", strike=True)))
    for words in (
        "Dear Big Inc,", "account acme", "Clause: clause of attempts", "Normal use.",
        "Attempts this cycle: 4. The limit is 3.",
        "Counted from 2026-11-01 00:00 EDT to 2026-12-01 00:00 EST (2026-11)",
        "Calls are refused with 403, no earlier than 2026-11-29 07:00 EST, 7 days after this notice has ",
        "costs 0.005 USD for each attempt, completed or not", "is a strike",
        "Emergency calls always go through.",
        "Questions: +1 212 555 0100",
    ):
        assert words in said, words


def test_a_warning_says_that_nothing_changes_yet_and_what_would() -> None:
    said = text(breach(rule("attempts", 3, 2, notice=WEEK), Level.WARNING))
    assert "For now calls go through as before.\nOver 3 attempts, calls are refused with 403, no ear" in said


def test_the_contact_of_the_pack_goes_before_the_sites() -> None:
    said = text(breach(rule("attempts", 3, notice=WEEK), pack=Pack("p", "1", contact="Anna")))
    assert "Questions: Anna" in said


@pytest.mark.parametrize(("measure", "words"), [
    (Measure(window=Window.ROLLING, seconds=7200), "Counted over 2 hours up to 2026-11-22 07:00 EST."),
    (Measure(window=Window.LIVE), "As of 2026-11-22 07:00 EST."),
])
def test_a_window_that_is_no_cycle_is_told_as_what_it_is(measure: Measure, words: str) -> None:
    kind = "concurrent_calls" if measure.window is Window.LIVE else "attempts"
    assert words in text(breach(rule(kind, 3, measure=measure)), Audience.OPS)


def test_where_an_earlier_notice_opened_the_gate_it_says_so() -> None:
    one = rule("attempts", 3, notice=WEEK)
    earlier: Notice | None = PAPER.reached(breach(one), Audience.CUSTOMER)
    assert earlier is not None
    earlier = after(earlier, step(earlier, Stage.DELIVERED, NOON - 6 * 86_400))
    assert earlier is not None
    gate = Gate()
    gate.learn(earlier)
    assert "no earlier than 2026-11-23 07:00 EST, when the time of grace of an earlier" in text(
        breach(one, gate=gate)
    )
    earlier = after(earlier, step(earlier, Stage.ACKNOWLEDGED, NOON - 8 * 86_400))
    assert earlier is not None
    gate.learn(earlier)
    assert "Calls are refused with 403, from now on, for notice of it was given before." in text(
        breach(one, gate=gate)
    )


def test_ops_read_how_far_the_mode_lets_it_go_and_where_to_look() -> None:
    said = text(breach(rule("attempts", 3, notice=WEEK), mode=Mode.MONITOR), Audience.OPS)
    assert "Mode in force: monitor." in said
    assert "Mode monitor goes before that" in said
    assert "enforcer why acme" in said


def test_a_customer_as_a_whole_is_named_as_such() -> None:
    notice = PAPER.reached(
        breach(rule("attempts", 3, measure=Measure(Scope.CUSTOMER), notice=WEEK)), Audience.CUSTOMER
    )
    assert (notice.account, "customer big" in notice.facts["subject"]) == ("", True)


def test_a_name_from_a_call_can_neither_add_a_header_nor_a_line() -> None:
    evil = "acme\r\nBcc: all@example.com\r\n\r\n\x1b[2J$clause" + "x" * 1000
    one = breach(rule("attempts", 3, notice=WEEK), account=evil, value=evil)
    notice = PAPER.reached(one, Audience.CUSTOMER)
    subject, body = notice.facts["subject"], notice.facts["text"]
    assert subject.isprintable()
    assert len(subject) <= MOST_OF_A_SUBJECT
    assert not any(line.startswith(("Bcc", "\x1b")) for line in body.splitlines())
    assert all(line.isprintable() for line in body.splitlines())
    assert "$clause" in body            # and is no placeholder of ours
    assert len(body) < 4000


def test_who_decided_is_on_record_and_not_in_the_letter() -> None:
    account, day = Account("acme", "big"), 86_400
    notice = PAPER.standing(account, Standing.TERMINATED, NOON, day, "copyright", "anna", "Big")
    assert notice.facts["by"] == "anna"
    assert "anna" not in notice.facts["text"]
    assert "Reason: copyright" in notice.facts["text"]
    assert "no earlier than 2026-11-23 12:00 UTC, 1 day after this notice" in notice.facts["text"]
    assert (notice.then, notice.grace, notice.about) == ("terminated", day, About.STANDING)


def test_a_rule_that_only_tags_threatens_nothing() -> None:
    said = text(breach(rule("attempts", 3, verdict=Verdict.TAG, notice=WEEK)))
    assert "For now calls go through as before." in said
    assert "refused" not in said


def test_every_template_of_ours_names_only_what_there_is(tmp_path: Path) -> None:
    own = Path(__file__).parents[2] / "enforcer" / "notices" / "texts"
    assert {path.stem for path in own.glob("*.txt")} == set(NAMES)
    Templates(own)              # ours pass the check that is made of an operator's
    for name in NAMES:
        subject, body = Templates().fill(name, dict.fromkeys(FIELDS, "x"))
        assert subject
        assert body
        assert "$" not in subject + body


def test_a_template_of_ones_own_replaces_ours_and_only_that(tmp_path: Path) -> None:
    own = "Subject: Grüße, $customer_name\n\nWert: ${value} für $$ 5\n"
    (tmp_path / "customer-critical.txt").write_text(own)
    (tmp_path / "README").write_text("of no account")
    paper = Stationery("lab", Templates(tmp_path))
    one = breach(rule("attempts", 3, 2, notice=WEEK))
    facts = paper.reached(one, Audience.CUSTOMER, name="Big Inc").facts
    assert (facts["subject"], facts["text"]) == ("Grüße, Big Inc", "Wert: 4 für $ 5\n")
    assert "Mode in force" in paper.reached(one, Audience.OPS).facts["text"]


@pytest.mark.parametrize(("name", "content", "line", "words"), [
    ("customer-critical.txt", "Subject: x\n\nDear $costumer,\n", ":3", "unknown placeholder $costumer"),
    ("customer-critical.txt", "Subject: $nope\n\nx\n", ":1", "unknown placeholder $nope"),
    ("customer-critical.txt", "Subject: x\n\nIt costs $5.\n", ":3", 'must be written "$$"'),
    ("customer-critical.txt", "Dear customer,\n\nx\n", ":1", 'the first line must be "Subject: ..."'),
    ("customer-critical.txt", "Subject: x\nDear customer,\n", ":2", "the second line must be empty"),
    ("customer-critical.txt", "Subject: x\n\n", ":3", "there is no text"),
    ("customer-critcal.txt", "Subject: x\n\nx\n", "", "did you mean 'customer-critical'?"),
])
def test_a_template_that_cannot_be_used_is_found_with_file_and_line(
    tmp_path: Path, name: str, content: str, line: str, words: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput) as error:
        Templates(tmp_path)
    assert error.value.where == f"{tmp_path / name}{line}"
    assert words in error.value.problem


def test_a_directory_of_templates_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        Templates(tmp_path / "none")
