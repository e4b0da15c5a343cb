"""Tokens over HTTP: nobody makes more of himself than he is, and who made which is on record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from enforcer.control.http.tokens import Role
from enforcer.domain.journal import Kind
from tests.support.http_house import Door, http_house


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_AMI_SECRET", "s3cret-of-the-test")


async def make(door: Door, maker: str, **wanted: str) -> tuple[int, str]:
    """The status, and the token or what was wrong."""
    response = await door.ask("POST", "/v1/tokens", maker, json=wanted)
    facts = response.json()
    if response.status_code == 200:
        door.tokens[wanted["name"]] = facts["token"]
        return 200, facts["token"]
    return response.status_code, facts["problem"]


async def test_an_operator_makes_tokens_of_at_most_its_own_role(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        for role in ("viewer", "operator"):
            status, shown = await make(door, "operator", name=f"a-{role}", role=role)
            assert status == 200
            assert door.front.tokens.whose(shown) is not None
            assert (await door.ask("GET", "/v1/overview", f"a-{role}")).status_code == 200
        status, said = await make(door, "operator", name="a-gateway", role="gateway")
        assert (status, "`enforcer token create` does, on the machine itself" in said) == (403, True)
        for maker in ("viewer", "gateway"):
            assert (await make(door, maker, name="more", role="viewer"))[0] == 403
        status, said = await make(door, "operator", name="a-viewer", role="viewer")
        assert status == 422
        assert said == "NAME: 'a-viewer' has a token already: revoke it, or choose another name"
        assert (await make(door, "operator", name="-- x", role="viewer"))[0] == 422
        assert (await make(door, "operator", name="x", role="boss"))[0] == 422


async def test_no_token_outlasts_the_one_that_made_it(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        door.tokens["short"] = door.front.tokens.make("short", Role.OPERATOR, 3600.0, "a test")
        until = next(one.until for one in door.front.tokens.all() if one.name == "short")
        assert until is not None
        for wanted in ({}, {"for": "30m"}):
            name = f"child-{len(wanted)}"
            assert (await make(door, "short", name=name, role="operator", **wanted))[0] == 200
            (child,) = [one for one in door.front.tokens.all() if one.name == name]
            assert child.until is not None
            assert child.until <= until
        status, said = await make(door, "short", name="heir", role="viewer", **{"for": "2h"})
        assert (status, "makes none that counts longer" in said) == (403, True)
        assert (await make(door, "short", name="heir", role="viewer", **{"for": "soon"}))[0] == 422
        assert (await make(door, "operator", name="for-ever", role="viewer"))[0] == 200


async def test_a_token_is_shown_once_and_who_made_or_revoked_it_is_on_record(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        answer = await door.ask("POST", "/v1/tokens", json={"name": "noc", "role": "operator"})
        assert answer.headers["cache-control"] == "no-store"
        shown = answer.json()["token"]
        door.tokens["noc"] = shown
        listed = await door.get("/v1/tokens", "operator")
        (noc,) = [one for one in listed["items"] if one["name"] == "noc"]
        assert (noc["role"], noc["state"], noc["by"]) == ("operator", "good", "the-operator")
        assert (await door.ask("GET", "/v1/tokens", "viewer")).status_code == 403
        gone = await door.ask("DELETE", "/v1/tokens/noc", "noc")        # one's own, as whoever loses it will
        assert gone.json() == {"said": "token noc counts no more"}
        assert (await door.ask("GET", "/v1/overview", "noc")).status_code == 401
        again = await door.ask("DELETE", "/v1/tokens/noc")
        assert (again.status_code, "no such token" in again.json()["problem"]) == (404, True)
        door.site.ok("token", "create", "gate", "--role", "gateway", "--by", "ann")
        door.site.ok("token", "revoke", "gate")
        told = [entry.body for entry in door.house.ledger.journal({Kind.COMMAND})]
        assert [(one["do"], one["door"], one["said"]) for one in told] == [
            ("token.create", "http", "token noc: operator"),
            ("token.revoke", "http", "token noc counts no more"),
            ("token.create", "command line", "token gate: gateway"),
            ("token.revoke", "command line", "token gate counts no more"),
        ]
        assert [one["who"] for one in told[:3]] == ["the-operator", "noc", "ann"]
        everywhere = json.dumps([listed, told, [dict(one.facts) for one in door.front.feed.since(0)]])
        assert shown not in everywhere
        assert (await door.get("/v1/verify"))["ok"] is True


async def test_holds_and_what_may_come_are_what_the_commands_say(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        door.call(1)
        door.house.ledger.written()
        held = await door.ask("POST", "/v1/holds", json={"account": "acme", "why": "dispute 7"})
        assert held.json()["said"].startswith("account acme")
        (one,) = (await door.get("/v1/holds"))["items"]
        assert (one["account"], one["by"], one["why"]) == ("acme", "the-operator", "dispute 7")
        assert (await door.ask("POST", "/v1/holds", json={"account": "acme"})).status_code == 422
        assert (await door.ask("POST", "/v1/holds/lift", json={"customer": "small"})).status_code == 422
        assert (await door.ask("POST", "/v1/holds/lift", json={"account": "acme"})).status_code == 200
        for path, words in (
            ("/v1/nearest?limit=5", ["nearest", "--limit", "5"]), ("/v1/whatif", ["whatif"]),
            ("/v1/whatif?account=acme&last=2h", ["whatif", "--account", "acme", "--last", "2h"]),
            ("/v1/accounts/acme/dossier", ["dossier", "acme"]), ("/v1/drill/link", ["drill", "link"]),
            ("/v1/prune", ["prune", "--dry-run"]),
        ):
            told, printed = await door.get(path), door.site.json(*words)
            assert told.keys() == printed.keys(), path
        assert (await door.get("/v1/charges"))["items"] == door.site.json("charges")
        order = {"do": "mode.set", "mode": "block", "account": "acme"}
        foreseen = await door.ask("POST", "/v1/foresee", "viewer", json=order)
        assert foreseen.json()["words"] == door.site.json("foresee", json.dumps(order))["words"]
        assert door.house.ledger.modes() == []
        assert (await door.ask("GET", "/v1/drill/flood", "viewer")).status_code == 404
        assert (await door.ask("POST", "/v1/settle-due", json={})).json()["total"] == 0
        assert (await door.ask("POST", "/v1/prune", json={})).json()["dry_run"] is False
        for path in ("/v1/prune", "/v1/settle-due", "/v1/holds", "/v1/holds/lift"):
            assert (await door.ask("POST", path, "viewer", json={})).status_code == 403
