"""What `python -m tests.fuzz` once found, each by its smallest input."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from enforcer.control.dialplan import paper_of
from enforcer.control.dialplan_files import MOST
from enforcer.control.http.tokens import Tokens
from enforcer.control.top_frame import Look, frame
from enforcer.errors import BadInput, LedgerError, LinkError
from enforcer.supervisor import Supervisor
from enforcer.switch.ami_level import Boots, clock_ahead
from enforcer.wire.ami import Message
from enforcer.wire.freeswitch_dialplan import Way, context_of, way_of
from tests.fuzz.people import VIEW
from tests.fuzz.targets import ALL
from tests.support.house import House

PACK = '[pack]\nname = "x"\nrevision = "1"\n'


def plan(folder: Path, text: str, name: str = "extensions.conf") -> list[str] | None:
    path = folder / name
    path.write_text(text)
    return paper_of([path]).fares("from-accounts", "911")


@pytest.mark.parametrize("names", ["more.**", "..", "a/../**b", "x" * 5000])
def test_an_inclusion_that_can_name_no_file_is_said_in_one_line(tmp_path: Path, names: str) -> None:
    with pytest.raises(BadInput, match=r"names no files|Is a directory") as told:
        plan(tmp_path, f'#include "{names}"\n')
    assert len(str(told.value)) < 400


def test_an_inclusion_of_nothing_includes_nothing(tmp_path: Path) -> None:
    text = '<include><context name="from-accounts"/><X-PRE-PROCESS cmd="include"/></include>'
    assert plan(tmp_path, text, "default.xml") == []


def test_files_that_include_each_other_many_times_over_are_not_read_for_ever(tmp_path: Path) -> None:
    for number in range(18):        # 2 ** 18 files, if all were read
        (tmp_path / f"{number}.conf").write_text(f'#include "{number + 1}.conf"\n' * 2)
    (tmp_path / "18.conf").write_text("")
    with pytest.raises(BadInput, match=f"{MOST} are read"):
        paper_of([tmp_path / "0.conf"])


def test_contexts_that_lead_to_each_other_in_many_ways_are_each_gone_to_once(tmp_path: Path) -> None:
    """22 contexts, each with a way to every other: as many paths as 22! if all were walked."""
    names = [f"c{number}" for number in range(22)]
    leads = "".join(f"exten => 911,{n},Goto({name},911,1)\n" for n, name in enumerate(names, 1))
    includes = "".join(f"include => i{name}\n" for name in names)
    text = "[from-accounts]\n" + leads + "".join(
        f"[{name}]\n{leads}[i{name}]\n{includes}" for name in names
    ) + "[lost]\n" + includes
    steps = plan(tmp_path, text)
    assert steps is not None
    assert len(steps) == 22 * 23
    assert paper_of([tmp_path / "extensions.conf"]).fares("lost", "911") == []


@pytest.mark.parametrize(("text", "wrong"), [
    ('<?xml version="1.0" encoding="utf-32"?><include/>', "encoding"),
    ('<?xml version="1.0" encoding="none"?><include/>', "is not XML|encoding"),
    ("<a>" * 5000 + "</a>" * 5000, "within elements"),
])
def test_a_dialplan_in_xml_that_python_cannot_read_is_said_in_one_line(
    tmp_path: Path, text: str, wrong: str
) -> None:
    with pytest.raises(BadInput, match=wrong):
        plan(tmp_path, text, "default.xml")


@pytest.mark.parametrize("expression", ["9{99999999999}", "(" * 5000, "[[a]", "(?R)"])
def test_an_expression_that_is_pcres_own_may_hold_or_not(expression: str) -> None:
    context = context_of(
        '<context name="default"><extension><condition field="destination_number" '
        f'expression="{expression}"><action application="transfer" data="x XML enforcer"/></condition>'
        "</extension></context>", "default",
    )
    assert context is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert way_of(context, "911") in (Way.PERHAPS, Way.NOWHERE)


@pytest.mark.parametrize("told", ["nan", "inf", "-1", "1e300", "now", ""])
async def test_a_switch_that_says_no_time_has_no_clock(told: str) -> None:
    async def ask(*_: object, **__: object) -> Message:
        return Message("", b"Response: Success\r\nTimestamp: " + told.encode())

    session: Any = SimpleNamespace(ask=ask)
    assert await clock_ahead(session, lambda: 7.0, 1.0, steady=1.0) is None


def test_a_switch_that_does_not_say_when_it_started_was_not_restarted() -> None:
    boots = Boots("pbx1")
    began = b"Response: Success\r\nCoreStartupDate: 2026-11-26\r\nCoreStartupTime: 05:00:00"
    for answer in (began, b"Response: Success", b"Response: Success\r\nCoreStartupDate: \r\nX: y", began):
        boots.look(Message("", answer))
    assert boots.restarts == 0
    boots.look(Message("", began.replace(b"05:00", b"06:00")))
    assert boots.restarts == 1


@pytest.mark.parametrize("heartbeat", ["nan", "-inf", "soon", ""])
def test_a_heartbeat_that_is_no_time_is_nobodys_and_the_doctor_says_so(heartbeat: str) -> None:
    ALL["asterisk_answers"].run(
        ALL["asterisk_answers"].seeds()[0].replace(b"1795309510.1", heartbeat.encode())
        .replace(b"1795309510.5", heartbeat.encode())
    )


@pytest.mark.parametrize("facts", [
    '"hash": 1.5', '"hash": "\u00e9"', '"until": "never"', '"made": null, "name": 7', '"by": []',
])
def test_a_file_of_tokens_with_something_else_in_it_is_nobodys_token(tmp_path: Path, facts: str) -> None:
    path = tmp_path / "enforcer.db.tokens"
    token = '{"name": "a", "role": "viewer", "hash": "00", "made": 1.0, "by": "x", '
    path.write_text(f'{{"tokens": [{token}{facts}}}]}}')
    with pytest.raises(LedgerError, match="not as the enforcer writes it"):
        Tokens(path, lambda: 7.0).whose("enf_x")


@pytest.mark.parametrize("micros", ["9" * 400, "9" * 5000, "\u0663", "1e6", "-1", ""])
def test_a_watchdog_that_is_no_time_waits_for_nobody(micros: str) -> None:
    assert Supervisor.of({"WATCHDOG_USEC": micros}).watchdog == 0


@pytest.mark.parametrize("change", [
    lambda view: view.pop("modes"), lambda view: view.update(switches=[{}]),
    lambda view: view.update(nearest=7), lambda view: view.update(at=None),
])
def test_top_says_that_another_version_shows_itself(change: Callable[[dict[str, Any]], object]) -> None:
    view: dict[str, Any] = dict(VIEW)
    change(view)
    with pytest.raises(LinkError, match="no enforcer, or one of another version"):
        frame(view, [], Look())


def test_no_word_of_the_overview_moves_a_cursor() -> None:
    strange = VIEW | {"at": "2026-11-22T\x1b[2J:10Z", "mode": "\x9b2J", "modes": []}
    lines = frame(strange, [{"kind": "\x1b]0;x\x07", "at": 7.0, "facts": {"\x1b": "\r"}}], Look())
    assert all(line.plain.isprintable() for line in lines)


def test_a_word_of_a_command_that_is_no_text_is_refused_in_one_line(tmp_path: Path) -> None:
    house = House(tmp_path, PACK)
    assert "is not UTF-8 text" in house.refused("settle", "--cycle", "\udcf4")
