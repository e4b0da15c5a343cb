"""Files over HTTP: as the command line imports them, bounded, and never from a path of this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from enforcer.control.http import importing
from enforcer.domain.journal import Kind
from tests.support.http_house import Door, http_house

ACCOUNTS = "account,customer,type,channels,plan,anchor_day,timezone\n"
OPT_OUTS = "number,customer,account,date,reason\n"
CSV = {"Content-Type": "text/csv"}
GOOD_ROW = (
    '"acme","101","2125550123","from-accounts","""A"" <101>","PJSIP/a-1","PJSIP/t-1","Dial","x",'
    '"2026-01-05 10:00:00","2026-01-05 10:00:02","2026-01-05 10:00:12",12,10,"ANSWERED","DOCUMENTATION",'
    '"1.{}",""\n'
)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_AMI_SECRET", "s3cret-of-the-test")


async def send(door: Door, what: str, body: Any, role: str = "operator", **headers: str) -> Any:
    return await door.client.post(
        f"/v1/{what}", content=body, headers=CSV | door.headers(role) | headers,
    )


async def test_accounts_and_opt_outs_come_as_files_all_or_none(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        done = await send(door, "accounts/import", ACCOUNTS + "new,big,pbx,,,1,UTC\n")
        assert (done.status_code, done.json()["said"]) == (
            200, "1 accounts imported: 1 new, 0 known before",
        )
        assert (await door.get("/v1/accounts/new"))["customer"] == "big"
        odd = await send(door, "accounts/import", ACCOUNTS + "a b,big,pbx,,,1,UTC\n")
        assert "warning: no call can carry the account name 'a b'" in odd.json()["warnings"][0]
        bad = await send(door, "accounts/import", ACCOUNTS + "x,big,pbx,,,1,UTC\ny,big,boat,,,1,UTC\n")
        assert (bad.status_code, bad.json()["problem"]) == (
            422, "accounts.csv:3: type: 'boat' is not pbx, residential or trunk",
        )
        assert (await door.ask("GET", "/v1/accounts/x")).status_code == 404
        done = await send(door, "optouts/import", OPT_OUTS + "2125550199,,acme,,asked\n")
        assert done.json()["said"] == "1 opt-outs imported: 1 new, 0 known before"
        (one,) = (await door.get("/v1/optouts"))["items"]
        assert (one["number"], one["by"], one["source"]) == ("+12125550199", "the-operator", "import")
        for body, said in (
            ("", "optouts.csv:1: is empty"), (b"\xff\xfe", "optouts.csv:1: is not UTF-8 text"),
            (OPT_OUTS + "12,,acme,,\n", "optouts.csv:2: '12' is no telephone number"),
            (OPT_OUTS + "2125550199,,nobody,,\n", "optouts.csv:2: "),
        ):
            bad = await send(door, "optouts/import", body)
            assert bad.status_code == 422
            assert bad.json()["problem"].startswith(said)
        told = [entry.body for entry in door.house.ledger.journal({Kind.COMMAND})]
        assert [(one["do"], one["who"], one["door"]) for one in told] == [
            ("account.import", "the-operator", "http"), ("account.import", "the-operator", "http"),
            ("optout.import", "the-operator", "http"),
        ]


async def test_call_records_are_counted_once_and_bad_rows_are_named(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        text = "".join(GOOD_ROW.format(nth) for nth in range(3)) + "what\n" + GOOD_ROW.format(9)
        done = (await send(door, "cdr/import?switch=pbx1", text)).json()
        assert (done["ok"], done["rows"], done["new"], done["bad"]) == (False, 4, 4, 1)
        assert done["warnings"][0].startswith("cdr.csv:4: ")
        assert str(tmp_path) not in json.dumps(done)
        again = (await send(door, "cdr/import?switch=pbx1", text)).json()
        assert (again["new"], again["unchanged"]) == (0, 4)
        for query, said in (("?switch=nobody", "no such switch"), ("", "switch: Field required")):
            bad = await send(door, f"cdr/import{query}", text)
            assert bad.status_code in (404, 422)
            assert said in bad.json()["problem"]
        gateway = await send(door, "cdr/import?switch=gw", text)
        assert "is a gateway" in gateway.json()["problem"]


async def test_no_file_of_this_machine_can_be_named(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(ACCOUNTS + "stolen,big,pbx,,,1,UTC\n")
    async with http_house(tmp_path) as door:
        for body in (str(secret), f"@{secret}", f"file://{secret}"):
            assert (await send(door, "accounts/import", body)).status_code == 422
        for switch in (f"pbx1 {secret}", f"--config={secret}", "--help"):
            bad = await door.client.post(
                "/v1/cdr/import", params={"switch": switch, "file": str(secret)}, content="x",
                headers=CSV | door.headers("operator"),
            )
            assert bad.status_code in (404, 422)
        assert (await door.ask("GET", "/v1/accounts/stolen")).status_code == 404


async def test_only_an_operator_sends_files_and_says_that_they_are_csv(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        for what in ("accounts/import", "optouts/import", "cdr/import?switch=pbx1"):
            for role, status in (("", 401), ("viewer", 403), ("gateway", 403)):
                assert (await send(door, what, ACCOUNTS, role)).status_code == status
            wrong = await send(door, what, ACCOUNTS, **{"Content-Type": "application/json"})
            assert (wrong.status_code, "text/csv" in wrong.json()["problem"]) == (415, True)


async def test_a_file_is_bounded_and_one_is_taken_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http_house(tmp_path) as door:
        monkeypatch.setattr(importing, "MEGABYTE", 1000)
        most = door.house.settings.http.max_import * 1000

        async def endless() -> AsyncIterator[bytes]:
            for _ in range(most // 1000 + 1):
                yield b"x" * 1000

        for body in (b"x" * (most + 1), endless()):
            told = await send(door, "accounts/import", body)
            assert (told.status_code, "100 MB" in told.json()["problem"]) == (413, True)
        rows = "".join(f"n{nth},big,pbx,,,1,UTC\n" for nth in range(3000))
        assert len(rows) > 65_536 - 20_000
        assert (await send(door, "accounts/import", ACCOUNTS + rows)).status_code == 200
        async with door.front.importing:
            told = await send(door, "accounts/import", ACCOUNTS)
            assert (told.status_code, told.headers["retry-after"]) == (503, "5")
        assert door.front.imports._clerk is None        # what it took of memory is free


async def test_who_dawdles_or_breaks_off_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "tmp"
    kept.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(kept))
    async with http_house(tmp_path, http="read_deadline = 0.2", listening=True) as door:
        head = (
            "POST /v1/accounts/import HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
            f"Authorization: Bearer {door.tokens['operator']}\r\nContent-Length: 100\r\n\r\naccount"
        ).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(head)
        async with asyncio.timeout(20):
            assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        writer.transport.abort()
        messages = [{"type": "http.request", "body": b"acc", "more_body": True}, {"type": "http.disconnect"}]
        sent: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0)

        async def answer(message: Any) -> None:
            sent.append(message)

        token = f"Bearer {door.tokens['operator']}".encode()
        await door.app({
            "type": "http", "method": "POST", "path": "/v1/accounts/import", "query_string": b"",
            "raw_path": b"", "headers": [(b"content-type", b"text/csv"), (b"authorization", token)],
        }, receive, answer)
        assert (sent[0]["status"], messages) == (400, [])
        assert not door.front.importing.locked()
        assert list(kept.iterdir()) == []
        assert (await door.get("/v1/overview"))["faults"] == []
        done = await send(door, "accounts/import", ACCOUNTS + "new,big,pbx,,,1,UTC\n")
        assert done.status_code == 200
