"""Everything that the command line does, over HTTP: who may, what is said, what a wrong request is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from enforcer.control import nearest
from enforcer.control.http.backoffice import Backoffice
from enforcer.control.http.front import WRONG_A_MINUTE
from enforcer.control.http.ordering import SHORT
from enforcer.control.http.problems import Problem
from enforcer.control.http.tokens import Role
from enforcer.control.requests import MODELS
from enforcer.domain.decision import Verdict
from enforcer.domain.mode import Mode
from tests.support.http_house import http_house


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_AMI_SECRET", "s3cret-of-the-test")


SAME: list[tuple[str, list[str]]] = [
    ("/v1/modes", ["mode"]),
    ("/v1/accounts", ["account", "list"]),
    ("/v1/accounts?customer=small", ["account", "list", "--customer", "small"]),
    ("/v1/accounts/acme", ["account", "show", "acme"]),
    ("/v1/customers", ["customer", "list"]),
    ("/v1/customers/big", ["customer", "show", "big"]),
    ("/v1/notices", ["notice", "list"]),
    ("/v1/strikes", ["strike", "list"]),
    ("/v1/optouts", ["optout", "list"]),
    ("/v1/interruptions?cycle=2026-01", ["interruptions", "--cycle", "2026-01"]),
    ("/v1/settlements/2026-01", ["charges", "--cycle", "2026-01"]),
    ("/v1/calls", ["calls"]),
    ("/v1/calls?account=acme&since=2h", ["calls", "--account", "acme", "--since", "2h"]),
    ("/v1/head", ["head"]),
    ("/v1/breaker", ["breaker"]),
    ("/v1/check", ["check"]),
    ("/v1/why/pbx1/1", ["why", "pbx1/1"]),
]


async def test_what_is_listed_is_what_the_command_line_prints(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        door.site.ok("strike", "add", "big", "--kind", "spam")
        door.site.ok("optout", "add", "2125550199", "--account", "acme")
        assert door.call(1) is Verdict.ALLOW
        assert door.call(2) is Verdict.BLOCK
        door.house.ledger.written()
        for path, words in SAME:
            told = await door.get(path)
            printed = door.site.json(*words)
            items = told.get("items", told)
            if isinstance(printed, list):
                assert (items, told["total"]) == (printed, len(printed)), path
            else:
                assert printed.items() <= told.items(), path
        usage = await door.get("/v1/accounts/acme/usage")
        assert usage["account"] == "acme"
        assert (await door.get("/v1/verify"))["ok"] is True
        assert (await door.get("/v1/calls", limit=1))["more"] is True
        page = await door.get("/v1/accounts", skip=1, limit=1)
        assert [one["account"] for one in page["items"]] == ["apex"]
        bundle = await door.ask("GET", "/v1/accounts/acme/evidence?cycle=2026-01", "viewer")
        assert bundle.content[:2] == b"PK"
        told = {"name": "Big Corp.", "contacts": ["noc@example.org"]}
        said = (await door.ask("PUT", "/v1/customers/big", "operator", json=told)).json()
        assert said["said"] == "customer big: notices go to noc@example.org"
        assert said["warnings"] == [
            "warning: no mail server is configured for e-mail addresses: set `mail` under [notices]"
        ]
        assert (await door.ask("PUT", "/v1/customers/big", "viewer", json=told)).status_code == 403
        settled = await door.ask("POST", "/v1/settlements/2026-01", "operator")
        assert settled.json()["ok"] is True
        broken = (await door.get("/v1/doctor"))
        assert broken["ok"] is False        # nobody listens where the configuration has a switch


WRONG: list[tuple[str, int, str]] = [
    ("/v1/accounts/acne", 404, "no such account: 'acne'; did you mean 'acme'?"),
    ("/v1/accounts/--help", 404, "no such account: '--help'"),
    ("/v1/accounts/--config=x/usage", 404, "no such account: '--config=x'"),
    ("/v1/accounts/acme/usage?cycle=2026-99", 422, ""),
    ("/v1/why/nothing", 404, "no such decision, call or account: 'nothing'"),
    ("/v1/customers/nobody", 404, "no such customer: 'nobody'"),
    ("/v1/notices/n-0", 404, "no such notice: 'n-0'"),
    ("/v1/calls?since=yesterday", 422, "--since: 'yesterday' is no date"),
    ("/v1/calls?account=--all", 422, "calls: no such account: '--all'"),
    ("/v1/calls?limit=100000", 422, "limit: Input should be less than or equal to 1000"),
    ("/v1/accounts?skip=-1", 422, "skip: Input should be greater than or equal to 0"),
    ("/v1/interruptions", 422, "cycle: Field required"),
    ("/v1/nothing", 404, "there is nothing at this address"),
]


async def test_a_wrong_question_is_told_what_is_wrong_with_it(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        for path, status, said in WRONG:
            response = await door.ask("GET", path, "viewer")
            assert response.status_code == status, (path, response.text)
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["problem"].startswith(said), path


MISLED: list[tuple[str, str, int, str]] = [
    ("GET", "/v1/calls?acount=acme", 422, "unknown parameter 'acount'; did you mean 'account'?"),
    ("GET", "/v1/verify?haed=1:2", 422, "unknown parameter 'haed'; did you mean 'head'?"),
    ("GET", "/v1/overview?x=1", 422, "unknown parameter 'x'"),
    ("GET", "/v1/mode", 405, "this address takes PUT: see /v1/openapi.json"),
    ("GET", "/v1/nope", 404, "there is nothing at this address: /v1/openapi.json lists what there is"),
]


@pytest.mark.parametrize(("method", "path", "status", "said"), MISLED)
async def test_whoever_mistypes_an_address_is_told_where_to_look(
    tmp_path: Path, method: str, path: str, status: int, said: str
) -> None:
    async with http_house(tmp_path) as door:
        response = await door.ask(method, path, "viewer")
        assert (response.status_code, response.json()["problem"]) == (status, said)


async def test_a_question_that_is_no_json_is_told_so(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        headers = door.headers("gateway") | {"Content-Type": "application/json"}
        response = await door.client.post("/v1/admit", content=b"x", headers=headers)
        assert response.status_code == 422
        assert response.json()["problem"] == "the request is no JSON: Expecting value"


@pytest.mark.parametrize(("method", "path"), [
    ("POST", "/v1/prune"), ("PUT", "/v1/customers/big"), ("POST", "/v1/settlements/2026-10"),
])
async def test_who_shows_a_token_of_another_role_is_told_which_one_will_do(
    tmp_path: Path, method: str, path: str
) -> None:
    async with http_house(tmp_path) as door:
        response = await door.ask(method, path, "gateway", json={})
        assert response.status_code == 403
        assert response.json()["problem"].endswith("has the role gateway, and this takes operator")
        seen = await door.ask("GET", "/v1/prune", "gateway")
        assert seen.json()["problem"].endswith("and this takes viewer")


async def test_the_description_says_of_every_route_with_a_token_that_it_may_be_refused(
    tmp_path: Path
) -> None:
    async with http_house(tmp_path) as door:
        described = (await door.client.get("/v1/openapi.json")).json()["paths"]
    silent = [
        path for path, methods in described.items() for told in methods.values()
        if "security" in told and not {"401", "403"} <= told["responses"].keys()
    ]
    assert silent == []


async def test_who_looks_first_after_a_start_finds_all_who_are_near_their_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "AT_ONCE", 1)
    async with http_house(tmp_path) as door:
        for number, account in enumerate(("acme", "apex", "zeta")):
            door.call(number, account)
        for _ in range(3):
            door.house.room.look()
        found = (await door.get("/v1/nearest"))["nearest"]
        assert {one["account"] for one in found} == {"acme", "apex", "zeta"}


async def test_a_clerk_that_dies_is_replaced_and_one_that_is_slow_is_given_up(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        assert (await door.get("/v1/accounts"))["total"] == 3
        clerk = door.front.back._clerk
        assert clerk is not None
        clerk.kill()
        await clerk.wait()
        assert (await door.get("/v1/accounts"))["total"] == 3
        door.site.config.write_text("no TOML")
        response = await door.ask("GET", "/v1/accounts")
        assert (response.status_code, "enforcer.toml:1:" in response.text) == (503, True)
    idle = Backoffice(tmp_path / "x.toml", print, [sys.executable, "-c", "import time; time.sleep(60)"])
    for _ in range(2):
        with pytest.raises(Problem, match=r"no answer in 0\.05 s") as told:
            await idle.ask("account", "list", seconds=0.05)
        assert (told.value.status, idle._clerk) == (503, None)
    silent = lambda *said, **about: None    # noqa: E731
    loud = Backoffice(tmp_path / "x.toml", silent, [sys.executable, "-c", "print('what?')"])
    with pytest.raises(Problem, match="could not be answered"):
        await loud.ask("account", "list")


async def test_without_a_good_token_nothing_is_told(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        for path, methods in door.app.openapi()["paths"].items():
            for method in methods:
                if path in ("/healthz", "/readyz"):
                    continue
                where = path.replace("{", "").replace("}", "").replace(":path", "")
                for headers in ({}, {"Authorization": "Bearer enf_nobodys"}, {"Authorization": "Basic eDp5"}):
                    response = await door.client.request(method, where, headers=headers, json={})
                    assert response.status_code in (401, 429), (method, path, response.text)
                    assert "nobodys" not in response.text
        assert door.metric("enforcer_http_wrong_tokens_total") or WRONG_A_MINUTE < 0
        assert (await door.get("/v1/overview"))["site"] == "lab"       # who has a good one is not locked out
        assert "nobodys" not in json.dumps(list(door.house.room.faults))
        assert len(door.house.room.faults) == 1                         # and the log is not flooded


async def test_each_role_may_do_its_own_and_no_more(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        order = {"do": "mode.set", "mode": "tag"}
        allowed = {
            ("GET", "/v1/overview"): {"viewer", "operator"},
            ("GET", "/v1/nearest"): {"viewer", "operator"},
            ("POST", "/v1/orders"): {"operator"},
            ("POST", "/v1/admit"): {"gateway"},
            ("POST", "/v1/settlements/2026-01"): {"operator"},
        }
        for (method, path), roles in allowed.items():
            for role in ("viewer", "operator", "gateway"):
                status = (await door.ask(method, path, role, json=order)).status_code
                assert (status != 403) is (role in roles), (path, role)
        for method, path, _, _ in SHORT:
            for role in ("viewer", "gateway"):
                assert (await door.ask(method, f"/v1{path}", role, json={})).status_code == 403


async def test_a_token_that_is_revoked_or_past_its_time_is_nobodys(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        told = door.site.json("token", "create", "ann", "--role", "operator", "--for", "1h")
        door.tokens["ann"] = told["token"]
        assert (await door.ask("GET", "/v1/overview", "ann")).status_code == 200
        door.site.ok("token", "revoke", "ann")
        (ann,) = [one for one in door.site.json("token", "list") if one["name"] == "ann"]
        assert (ann["role"], ann["state"], "token" in ann) == ("operator", "revoked", False)
        assert "ann" in door.site.ok("token", "list")
        again = door.site.refused("token", "revoke", "ann")
        assert again.startswith("no such token, or none that counts: 'ann'")
        assert door.site.refused("token", "create", "x", "--role", "boss")== (
            "--role: 'boss' is not one of viewer, operator, gateway"
        )
        assert (await door.ask("GET", "/v1/overview", "ann")).status_code == 401
        door.tokens["late"] = door.front.tokens.make("late", Role.VIEWER, -1.0, "a test")
        assert (await door.ask("GET", "/v1/overview", "late")).status_code == 401


async def test_an_order_holds_for_the_next_call_and_who_gave_it_is_the_tokens_name(tmp_path: Path) -> None:
    async with http_house(tmp_path, mode="monitor") as door:
        door.call(1)
        assert door.call(2) is Verdict.ALLOW
        told = {"mode": "block", "account": "acme", "reason": "4711", "who": "the boss"}
        answer = (await door.ask("PUT", "/v1/mode", json=told)).json()
        assert (answer["accepted"], answer["said"], answer["who"]) == (
            True, "account acme: block", "the-operator",
        )
        assert door.call(3) is Verdict.BLOCK
        (setting,) = door.house.ledger.modes()
        assert (setting.mode, setting.who, setting.why) == (Mode.BLOCK, "the-operator", "4711")


ORDERS: list[tuple[str, str, dict[str, Any], str]] = [
    ("PUT", "/v1/ceiling", {"mode": "tag", "for": "2h"}, "site ceiling: tag"),
    ("POST", "/v1/accounts", {"account": "new", "customer": "big", "type": "pbx"}, "account new added"),
    ("PUT", "/v1/accounts/new", {"customer": "small", "type": "pbx"}, "account new changed"),
    ("POST", "/v1/accounts/new/suspend", {"reason": "fraud"}, "account new suspended"),
    ("POST", "/v1/accounts/new/resume", {}, "account new active"),
    ("POST", "/v1/accounts/new/terminate", {}, "account new terminated"),
    ("POST", "/v1/optouts", {"number": "2125550199", "account": "acme"}, "+12125550199"),
    ("POST", "/v1/optouts/remove", {"number": "2125550199", "account": "acme"}, "+12125550199"),
    ("POST", "/v1/strikes", {"kind": "spam", "customer": "big", "id": "7"}, "strike s-7: customer big, spam"),
    ("POST", "/v1/strikes", {"kind": "spam", "customer": "big", "id": "7"}, "strike s-7: customer big, spam"),
    ("POST", "/v1/strikes/s-7/withdraw", {"reason": "a mistake"}, "strike s-7"),
    ("POST", "/v1/reload", {}, "in force: small@1"),
]


async def test_each_order_has_a_route_that_carries_it_out(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        for method, path, facts, said in ORDERS:
            response = await door.ask(method, path, json=facts)
            assert response.status_code == 200, (path, response.text)
            assert said in response.json()["said"]
        assert len(door.house.ledger.registers.strikes.all()) == 1      # the same id is the same order
        assert {do for _, _, do, _ in SHORT} == set(MODELS)


REFUSED: list[tuple[str, str, Any, int, str]] = [
    ("PUT", "/v1/mode", {"mode": "blok"}, 422, "mode must be off, monitor, tag, throttle or block"),
    ("PUT", "/v1/mode", {"mode": "tag", "account": "acne"}, 404, "no such account: 'acne'"),
    ("PUT", "/v1/mode", {"mode": "tag", "do": "reload"}, 422, "key 'do' is said by the path here"),
    ("POST", "/v1/accounts/acme/suspend", {"account": "solo"}, 422, "key 'account' is said by the path here"),
    ("POST", "/v1/orders", {"do": "mode.sett"}, 422, "do: no such order: 'mode.sett'; did you mean"),
    ("POST", "/v1/orders", [1], 422, "the request must be a JSON object"),
    ("POST", "/v1/orders", {"do": "reload", "reason": "a\nb"}, 422, "reason: holds characters"),
    ("POST", "/v1/orders", {"do": "reload", "reason": "x" * 20_000}, 422, "the request has"),
    ("POST", "/v1/orders", {"do": "reload", "reason": "x" * 70_000}, 413, "more than 65536 bytes"),
]


async def test_a_wrong_order_is_refused_and_nothing_is_done(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        for method, path, facts, status, said in REFUSED:
            response = await door.ask(method, path, json=facts)
            assert (response.status_code, said in response.json()["problem"]) == (status, True), response.text
        form = await door.ask("POST", "/v1/orders", content=b'{"do": "reload"}')
        assert form.status_code == 415          # what another site's page can make a browser send
        assert door.house.ledger.modes() == []


async def test_a_session_changes_nothing_for_a_page_of_another_site(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        door.front.sessions.append(lambda request: door.front.tokens.whose(request.cookies.get("s", "")))
        for site, status in (("cross-site", 401), ("same-site", 401), ("", 401), ("same-origin", 200)):
            headers = {"Cookie": f"s={door.tokens['operator']}"} | ({"Sec-Fetch-Site": site} if site else {})
            response = await door.client.post("/v1/reload", headers=headers)
            assert response.status_code == status, site
            assert (await door.client.get("/v1/overview", headers=headers)).status_code == 200


async def test_alive_ready_and_metrics(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        assert (await door.get("/healthz", "")) == {"alive": True}
        ready = await door.ask("GET", "/readyz", "")
        assert (ready.status_code, "switch pbx1: " in ready.json()["problem"]) == (503, True)
        assert (await door.ask("GET", "/metrics", "")).status_code == 401
        found = await door.ask("GET", "/metrics", "gateway")
        assert 'enforcer_http_requests_total{status="2xx"} 1.0' in found.text
        assert found.headers["cache-control"] == "no-store"
    (tmp_path / "2").mkdir()
    async with http_house(tmp_path / "2", http='metrics = "public"') as door:
        assert (await door.ask("GET", "/metrics", "")).status_code == 200


async def test_our_own_fault_is_counted_and_told_without_what_was_asked(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        def broken() -> list[str]:
            raise ZeroDivisionError("ours")

        object.__setattr__(door.front, "unready", broken)
        response = await door.client.get("/readyz?secret=1")
        assert (response.status_code, "secret" in response.text) == (500, False)
        (fault,) = door.house.room.faults
        assert (fault["fault"], fault["route"]) == ("http: our own fault", "/readyz")
