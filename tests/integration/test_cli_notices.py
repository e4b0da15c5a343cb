"""`enforcer notice`, `enforcer customer`, and accounts that are stopped with notice, as users meet them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import tests.support.receivers  # noqa: F401 - loads Apprise, whose plugins may not warn
from enforcer import settings
from enforcer.domain.notice import Stage
from enforcer.ledger.sqlite import SqliteLedger
from tests.integration.test_cli import House
from tests.support import notices as told
from tests.support.ledgers import Clock, classify
from tests.support.notices import MAIL, limit

NOTICES = """
[notices]
contact = "+1 212 555 0100"
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("ENFORCER_TEST_SECRET", "x")
    monkeypatch.delenv("ENFORCER_CONFIG", raising=False)
    house = House(tmp_path)
    house.config.write_text(house.config.read_text() + NOTICES)
    house.ok("account", "add", "acme", "--customer", "big", "--type", "pbx", "--timezone", "America/New_York")
    return house


@pytest.fixture
async def noticed(house: House) -> told.House:
    """The same ledger in a running house, where acme passed a limit and nobody can be told."""
    clock = Clock()
    ledger = SqliteLedger(house.directory / "var" / "enforcer.db", classify, clock, 0.05)
    running = told.House(limit(3), ledger=ledger, clock=clock)
    for _ in range(4):
        running.call()
    await running.turn()
    await running.turn()            # what ops hear of the first
    ledger.flush()
    return running


@pytest.fixture
def hook() -> Iterator[HTTPServer]:
    """A web hook in a thread, since commands have an event loop of their own."""
    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200 if self.path == "/good" else 500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on stderr."""

    with HTTPServer(("127.0.0.1", 0), Taker) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_list_and_show_tell_everything_of_a_notice(house: House, noticed: told.House) -> None:
    notice = noticed.notice()
    listed = house.json("notice", "list", "--customer", "big")
    assert {one["audience"] for one in listed} == {"customer", "ops"}
    (one,) = house.json("notice", "list", "--pending")
    assert (one["notice"], one["stage"], one["rule"], one["level"]) == (
        notice.id, "created", "attempts", "critical"
    )
    assert house.json("notice", "list", "--customer", "nobody") == []
    shown = house.ok("notice", "show", notice.id)
    assert notice.facts["text"] in shown
    assert "2026-11-22 07:00:00 EST  created" in shown
    facts = house.json("notice", "show", notice.id)
    assert facts["text"] == notice.facts["text"]
    assert [one["stage"] for one in facts["steps"]] == ["created"]
    assert notice.id in house.ok("notice", "list")
    noticed.ledger.close()


async def test_an_acknowledgement_opens_the_gate_as_delivery_does(house: House, noticed: told.House) -> None:
    notice = noticed.notice()
    said = house.ok("notice", "ack", notice.id, "--by", "Anna", "--reason", "by telephone")
    assert said.startswith(f"notice {notice.id} acknowledged by Anna; time of grace until ")
    noticed.ledger.changed_elsewhere()
    assert noticed.notice().stage is Stage.ACKNOWLEDGED
    assert noticed.notice().told_at is not None
    shown = house.ok("notice", "show", notice.id)
    assert "acknowledged: Anna, by telephone" in shown
    assert "acknowledged already" in house.refused("notice", "ack", notice.id)
    noticed.ledger.close()


def test_a_notice_nobody_knows_is_said_to_be_so(house: House) -> None:
    for command in ("show", "ack"):
        assert house.refused("notice", command, "n-x") == "no such notice: 'n-x'; see `enforcer notice list`"


def test_customers_are_entered_and_their_passwords_never_shown(house: House) -> None:
    secret = "mailto://robot:hunter2@mail.example.com?to=a@big.example"
    said = house.ok("customer", "set", "big", "--name", "Big Inc", "--contact", secret)
    told_of = [said, house.ok("customer", "list"), house.ok("customer", "show", "big")]
    assert all("mailto://mail.example.com" in text and "hunter2" not in text for text in told_of)
    assert house.json("customer", "show", "big") == {
        "customer": "big", "name": "Big Inc", "accounts": ["acme"], "contacts": ["mailto://mail.example.com"],
    }
    house.ok("customer", "set", "big", "--name", "Bigger")
    assert house.json("customer", "list")[0]["contacts"] == ["mailto://mail.example.com"]
    house.ok("customer", "set", "big", "--no-contacts")
    assert house.json("customer", "list")[0]["contacts"] == []


def test_contacts_may_come_from_a_file(house: House) -> None:
    addresses = house.file("contacts", "# of Big Inc\njson://127.0.0.1/x\n\njson://127.0.0.2/x\n")
    house.ok("customer", "set", "big", "--contacts-from", addresses)
    assert house.json("customer", "show", "big")["contacts"] == ["json://127.0.0.1", "json://127.0.0.2"]


def test_a_mail_address_without_a_mail_server_is_warned_about(house: House) -> None:
    result = house.run("customer", "set", "big", "--contact", "anna@big.example")
    assert result.exit_code == 0
    assert "[notices]" in result.stderr


@pytest.mark.parametrize(("options", "problem"), [
    ((), "customer set: nothing to change: name at least one option"),
    (("--contact", "nosuch://s3cret"), "customer set: address 1 of 1: it is neither"),
    (("--contact", "mailto://robot:s3cret@127.0.0.1"), "customer set: address 1 of 1: Apprise cannot use it: "
     "Invalid ~From~ email specified"),
    (("--contact", "json://h/x\nY"), "customer set: address 1 of 1: it has characters that cannot be"),
    (("--contact", "json://h/x", "--no-contacts"), "--no-contacts: cannot go with addresses"),
    (("--contacts-from", "nofile"), "nofile: No such file or directory"),
])
def test_a_customer_that_cannot_be_entered_is_left_as_it_was(
    house: House, options: tuple[str, ...], problem: str
) -> None:
    line = house.refused("customer", "set", "big", *options)
    assert line.startswith(problem)
    assert "s3cret" not in line


def test_a_customer_nobody_knows_is_said_to_be_so(house: House) -> None:
    assert house.refused("customer", "show", "bigg") == "no such customer: 'bigg'; did you mean 'big'?"


def test_a_test_is_sent_to_ops_and_to_customers(house: House, hook: HTTPServer) -> None:
    assert house.refused("notice", "send-test") == "no address is known of ops: see [notices] ops"
    assert "enforcer customer set" in house.refused("notice", "send-test", "--customer", "big")
    good = f"json://127.0.0.1:{hook.server_port}/good"
    house.config.write_text(house.config.read_text() + f'ops = ["{good}"]\n')
    assert house.ok("notice", "send-test") == "json://127.0.0.1: taken\n"
    house.ok("customer", "set", "big", "--contact", good, "--contact", good.replace("good", "bad"))
    result = house.run("notice", "send-test", "--customer", "big", "--json")
    assert result.exit_code == 1
    assert '"taken": true' in result.stdout
    assert '"taken": false' in result.stdout


async def test_an_account_is_suspended_with_notice_and_by_itself(house: House) -> None:
    said = house.ok("account", "suspend", "acme", "--after", "7d", "--reason", "spam reports")
    assert said.startswith("account acme will be suspended 7 days after notice n-")
    assert "no address of customer big is known" in said
    (announced,) = house.json("account", "show", "acme")["announced"]
    assert (announced["standing"], announced["from"]) == ("suspended", None)
    assert "suspended 7 days after its notice is delivered, which it is not yet" in (
        house.ok("account", "show", "acme")
    )
    assert "was given already" in house.refused("account", "suspend", "acme", "--after", "1d")
    running = _running(house)
    await running.turn(8 * 86_400)
    assert running.ledger.account("acme").standing.value == "active"      # nobody was told yet
    running.register("acme", "big", MAIL)
    running.delivery.look_again()
    await running.turn()
    assert len(running.post.to(MAIL)) == 1
    await running.turn(7 * 86_400 - 1)
    assert running.ledger.account("acme").standing.value == "active"
    await running.turn(1)
    account = running.ledger.account("acme")
    assert account.standing.value == "suspended"
    assert account.standing_reason.startswith("spam reports (by ")
    assert "(by " not in running.post.sent[0][2]
    await running.turn(1)
    await running.turn(1)
    assert sum("is suspended now" in subject for subject in running.post.to(told.OPS)) == 1
    running.ledger.close()
    assert house.json("account", "show", "acme")["announced"] == []
    house.ok("account", "resume", "acme")
    again = _running(house)
    await again.turn(30 * 86_400)
    assert again.ledger.account("acme").standing.value == "active"
    again.ledger.close()


async def test_what_was_announced_is_withdrawn_by_resuming(house: House) -> None:
    house.ok("account", "terminate", "acme", "--after", "1d")
    (notice,) = house.json("notice", "list")
    house.ok("notice", "ack", notice["notice"])
    assert house.ok("account", "resume", "acme") == "account acme: what was announced is withdrawn\n"
    assert house.json("notice", "list")[0]["closed_how"] == "withdrawn"
    assert house.json("account", "show", "acme")["announced"] == []
    assert house.refused("account", "resume", "acme") == "account 'acme' is active already"
    running = _running(house, Clock(4_000_000_000.0))
    await running.turn()
    assert running.ledger.account("acme").standing.value == "active"
    running.ledger.close()


def test_what_is_done_at_once_need_not_be_announced_any_more(house: House) -> None:
    house.ok("account", "suspend", "acme", "--after", "1d")
    house.ok("account", "terminate", "acme")
    assert house.json("account", "show", "acme")["announced"] == []
    line = house.refused("account", "suspend", "acme", "--after", "1d")
    assert line == "account 'acme' is terminated already"


@pytest.mark.parametrize("span", ["7", "soon", "0d"])
def test_a_span_that_is_none_changes_nothing(house: House, span: str) -> None:
    assert house.refused("account", "suspend", "acme", "--after", span).startswith("--after: ")


def test_check_names_file_and_line_of_a_template_that_cannot_be_filled_in(house: House) -> None:
    folder = house.directory / "texts"
    folder.mkdir()
    (folder / "customer-warning.txt").write_text("Subject: Hello\n\nDear $custommer_name,\n")
    house.config.write_text(house.config.read_text() + 'templates = "texts"\n')
    assert house.refused("check") == (
        f"{folder}/customer-warning.txt:3: unknown placeholder $custommer_name; did you mean 'customer_name'?"
    )


def test_doctor_tells_what_has_not_arrived_and_what_cannot_be_used(house: House) -> None:
    def notices() -> list[tuple[str, str]]:
        return [
            (one["grade"], one["words"]) for one in _findings(house) if one["subject"] == "notices"
        ]

    assert notices() == [("ok", "those to ops go to nobody: what they have to hear is in the log")]
    house.ok("account", "suspend", "acme", "--after", "1d")
    assert notices()[-1] == (
        "warning", "1 to customers have not arrived: what waits for them does not happen"
    )
    house.config.write_text(house.config.read_text() + 'mail = "mailto://robot@127.0.0.1"\n')
    assert notices()[0][1].startswith("`mail` and `from` cannot be used: Apprise cannot use it: ")
    house.config.write_text(house.config.read_text() + 'from = "Fair use <fair@example.com>"\n')
    assert notices()[0][0] == "ok"
    addresses = 'ops = ["json://127.0.0.1/x", "nosuch://t0ken", "json://u:${NO_SUCH_VARIABLE}@h/x"]\n'
    house.config.write_text(house.config.read_text() + addresses)
    unset = "notices.ops: environment variable NO_SUCH_VARIABLE is not set: set it before `enforcer` starts"
    assert notices() == [("failed", unset)]
    text = house.config.read_text()
    house.config.write_text(text.replace(', "json://u:${NO_SUCH_VARIABLE}@h/x"', ""))
    (bad, good, _) = notices()
    assert bad[1].startswith("address 2 of ops cannot be used: ")
    assert good[1] == "those to ops go to json://127.0.0.1, nosuch://..."


def _findings(house: House) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(house.run("doctor", "--json").stdout)
    return found


def _running(house: House, clock: Clock | None = None) -> told.House:
    clock = clock or Clock(_now(house))
    ledger = SqliteLedger(settings.load(house.config).ledger_path, classify, clock, 0.05)
    return told.House(ledger=ledger, clock=clock)


def _now(house: House) -> float:
    """A moment after everything that was put on record."""
    ledger = SqliteLedger(settings.load(house.config).ledger_path, classify, lambda: 0.0, 0.05)
    try:
        return max(entry.at for entry in ledger.journal())
    finally:
        ledger.close()
