"""What happened lately, in the words of the live page."""

from __future__ import annotations

from typing import Any

import pytest

from enforcer.control.feed import Happening
from enforcer.control.page.moment import event, moment
from enforcer.control.page.render import ENVIRONMENT

GAP = {"open": True, "switch": "pbx1", "seconds": "13.587", "cause": "it hung up", "calls": None, "gap": "g"}
FAULT = {"fault": "gap", "switch": "pbx1", "seconds": "13.587", "calls": "an unknown number", "ended": 0}
NOW: dict[str, Any] = {
    "ceiling": None, "modes": [], "mode": "monitor", "decisions": [], "breaker": {"tripped": None},
    "switches": [], "faults": [],
}


def test_a_gap_is_told_once_and_in_words() -> None:
    happened = [Happening(1, "fault", 0.0, FAULT), Happening(2, "gap", 0.0, GAP)]
    told = [one["words"] for one in moment(NOW, happened, True)["events"]]
    assert told == [
        "switch pbx1 was not heard for 13.587 s (it hung up): an unknown number of calls may be missing"
    ]


def test_of_a_long_list_that_somebody_imports_the_end_is_said_in_words() -> None:
    facts = {"record": "more", "ref": "a49", "customer": "c", "account": "a49", "standing": "active"}
    assert event(Happening(1, "record", 0.0, facts))["words"] == (
        "more was put on record at once than is told line by line"
    )


@pytest.mark.parametrize(("about", "level", "word"), [
    ("level", "critical", "critical"), ("level", "warning", "warning"), ("cleared", "critical", "fine"),
    ("standing", None, "fine"),
])
def test_a_notice_that_all_is_fine_again_is_not_shown_as_critical(
    about: str, level: str | None, word: str
) -> None:
    parts: Any = ENVIRONMENT.get_template("parts.html").module
    assert f">{word}<" in parts.notice_word({"about": about, "level": level})
