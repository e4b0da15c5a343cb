"""What is shipped for a FreeSWITCH's CDRs does what it says: columns are as documented, variables are set."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from enforcer.wire.cdr_csv_columns import FIRST, LAST, OUR_COLUMNS
from tests.support.freeswitch_cdr import CONF, ENFORCER

COLUMNS = [column.strip("${}") for column in ENFORCER[1:-1].split('","')]


def test_the_template_has_the_columns_that_its_file_documents() -> None:
    documented = re.findall(r"^ +(\d+) (\S+)", CONF.read_text(), re.MULTILINE)
    assert [int(number) for number, _ in documented] == list(range(1, OUR_COLUMNS + 1))
    assert [name for _, name in documented] == COLUMNS
    assert (COLUMNS[0], COLUMNS[-1]) == (FIRST, LAST)


def test_what_a_caller_can_write_comes_last() -> None:
    """Whatever he writes, no column before those moves."""
    written = {"dialed_user", "caller_id_number", "destination_number", "enforcer_number"}
    assert set(COLUMNS[-5:-1]) == written
    assert not {"caller_id_name", "caller_id", "channel_name", "last_arg"} & set(COLUMNS)


def test_the_template_is_the_default_and_both_legs_are_written() -> None:
    settings = {p.get("name"): p.get("value") for p in ElementTree.parse(CONF).iterfind(".//settings/param")}
    assert settings["default-template"] == "enforcer"
    assert settings["legs"] == "ab"
    assert "\n" not in ENFORCER


def test_the_dialplan_sets_what_the_template_reads_before_anything_else_and_once() -> None:
    (extension,) = ElementTree.parse(CONF.parent / "enforcer_cdr.xml").iterfind("extension")
    assert extension.get("continue") == "true"
    (condition,) = extension.iterfind("condition")
    assert (condition.get("field"), condition.get("expression")) == ("${enforcer_call}", "^$")
    told = {(a.get("data") or "").partition("=")[0]: a for a in condition.iterfind("action")}
    assert set(told) == {name for name in COLUMNS if name.startswith("enforcer_")}
    assert all(action.get("inline") == "true" for action in told.values())
    exported = {name for name, action in told.items() if action.get("application") == "export"}
    assert exported == {"enforcer_call", "enforcer_direction"}
