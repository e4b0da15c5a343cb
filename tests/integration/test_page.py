"""The live page without a browser: who may look, who may press, and that nothing typed becomes markup."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import AsyncIterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from enforcer.control.page import htmx, sessions, stream
from enforcer.control.page.entrance import COOKIE
from enforcer.control.page.plot import nice, plot
from enforcer.control.page.render import STATIC
from enforcer.domain.account import Account, Standing
from enforcer.domain.decision import Verdict
from enforcer.domain.journal import Kind
from enforcer.domain.mode import Mode, ModeSetting
from tests.support.http_house import Door, http_house

HOSTILE = '"><script>alert(1)</script>&\'{{7*7}}'
PAGES = ("/", "/page/live", "/page/nearest", "/page/state", "/accounts", "/account?name=acme",
         "/page/account?name=acme", "/page/touched?name=acme", "/whatif", "/why?subject=acme")


class Visit:
    """A browser without a screen: it keeps cookies, and says where its forms come from."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(door.app, raise_app_exceptions=False), base_url=door.url,
            headers={"Origin": door.url}, timeout=60,
        )

    async def log_in(self, role: str = "operator") -> httpx.Response:
        return await self.post("/login", token=self.door.tokens[role])

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.client.get(path, **more)

    async def page(self, path: str) -> str:
        answer = await self.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[-500:])
        return answer.text

    async def post(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        return await self.client.post(path, data=fields, headers=headers)

    async def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', await self.page("/"))
        assert found is not None
        return found[1]

    async def press(self, **fields: str) -> httpx.Response:
        """Fill a form in and read what it would do."""
        return await self.post("/ask", csrf=await self.csrf(), **fields)

    async def press_twice(self, **fields: str) -> str:
        """The same, and press what it asks; the page that tells what came of it."""
        asked = await self.press(**fields)
        assert asked.status_code == 200, asked.text
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', asked.text))
        done = await self.post("/do", **hidden)
        assert done.status_code == 303
        return await self.page(done.headers["location"])


@pytest.fixture
async def visit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Visit]:
    monkeypatch.setenv("TEST_AMI_SECRET", "s3cret-of-the-test")
    async with http_house(tmp_path, mode="monitor") as door:
        found = Visit(door)
        yield found
        await found.client.aclose()


async def test_nobody_sees_a_page_without_a_session_and_comes_back_to_it_after(visit: Visit) -> None:
    for path in PAGES:
        answer = await visit.get(path)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/login")
    assert (await visit.get("/page/live", headers={"HX-Request": "true"})).status_code == 401
    there = (await visit.get("/account?name=acme")).headers["location"]
    assert 'value="/account?name=acme"' in await visit.page(there)
    answer = await visit.post("/login", token=visit.door.tokens["viewer"], back="/account?name=acme")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account?name=acme")


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example/", "/\\evil.example", "\n//x", "evil", "//[", "/\t/x"]
)
async def test_logging_in_leads_nowhere_else(visit: Visit, back: str) -> None:
    answer = await visit.post("/login", token=visit.door.tokens["viewer"], back=back)
    assert answer.headers["location"] == "/"


async def test_cookie_is_no_scripts_and_no_other_sites(visit: Visit) -> None:
    answer = await visit.log_in()
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
    assert visit.door.tokens["operator"] not in cookie
    assert "Secure" not in cookie       # over TLS it is, and has a name that no plain page can set
    secure = httpx.AsyncClient(
        transport=httpx.ASGITransport(visit.door.app), base_url=visit.door.url.replace("http", "https"),
    )
    answer = await secure.post(
        "/login", data={"token": visit.door.tokens["operator"]}, headers={"Origin": str(secure.base_url)}
    )
    assert answer.headers["set-cookie"].startswith(f"__Host-{COOKIE}=")
    assert "Secure" in answer.headers["set-cookie"]
    await secure.aclose()


async def test_wrong_token_begins_no_session_and_many_are_sent_away(visit: Visit) -> None:
    for place in range(12):
        answer = await visit.post("/login", token="enf_nobodys")
        assert answer.status_code == (401 if place < 10 else 429)
        assert "set-cookie" not in answer.headers
    assert (await visit.log_in()).status_code == 303        # a good one is good all the same
    assert (await visit.post("/login", token="")).status_code == 422
    gateway = await visit.post("/login", token=visit.door.tokens["gateway"])
    assert gateway.status_code == 403


async def test_session_ends_with_its_token_with_time_and_by_logging_out(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    await visit.log_in("viewer")
    assert (await visit.get("/")).status_code == 200
    visit.door.front.tokens.revoke("the-viewer")
    assert (await visit.get("/")).status_code == 303
    await visit.log_in()
    assert (await visit.post("/logout", csrf="another's")).status_code == 303
    await visit.log_in()
    held = dict(visit.client.cookies)
    await visit.post("/logout", csrf=await visit.csrf())
    visit.client.cookies.update(held)                       # who kept the cookie has nothing
    assert (await visit.get("/")).status_code == 303
    await visit.log_in()
    keeper = visit.door.app.state.sessions
    clock = keeper._clock
    monkeypatch.setattr(keeper, "_clock", lambda: clock() + sessions.IDLE_SECONDS + 1)
    assert (await visit.get("/")).status_code == 303


async def test_session_reads_programs_routes_too_but_orders_nothing_across_sites(visit: Visit) -> None:
    await visit.log_in()
    assert (await visit.get("/v1/overview")).status_code == 200
    order = {"do": "mode.set", "mode": "block", "reason": "x"}
    answer = await visit.client.post("/v1/orders", json=order, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 401


async def test_form_of_another_site_or_session_does_nothing(visit: Visit) -> None:
    await visit.log_in()
    csrf = await visit.csrf()
    order = {"do": "mode.set", "mode": "block", "account": "acme", "reason": "x", "id": "a"}
    for path in ("/ask", "/do"):
        for headers, fields in (
            ({"Origin": "https://evil.example"}, {"csrf": csrf}), ({"Origin": "null"}, {"csrf": csrf}),
            ({"Origin": "http://Y]+z"}, {"csrf": csrf}), ({"Origin": "http://["}, {"csrf": csrf}),
            (None, {}), (None, {"csrf": "another's"}), (None, {"csrf": "ünï"}),
        ):
            answer = await visit.post(path, headers, **order, **fields)
            assert answer.status_code == 403, (path, headers, fields)
        plain = await visit.client.post(path, content=b"{}", headers={"Content-Type": "text/plain"})
        assert plain.status_code == 415
    assert visit.door.house.ledger.modes() == []


async def test_viewer_has_no_buttons_and_presses_none(visit: Visit) -> None:
    await visit.log_in("viewer")
    for path in PAGES:
        page = await visit.page(path)
        assert 'action="/ask"' not in page
        assert 'action="/do"' not in page
    answer = await visit.press(do="mode.set", mode="block", account="acme", reason="x")
    assert answer.status_code == 403
    answer = await visit.post("/do", csrf=await visit.csrf(), do="mode.set", mode="block", reason="x")
    assert answer.status_code == 403
    assert visit.door.house.ledger.modes() == []


async def test_button_tells_what_it_would_do_and_does_it_once(visit: Visit) -> None:
    for number in range(4):
        assert visit.door.call(number) is Verdict.ALLOW
    visit.door.house.ledger.flush()
    await visit.log_in()
    form = {"do": "mode.set", "account": "acme", "mode": "block", "for": "1h", "reason": "4711",
            "back": "account:acme"}
    asked = await visit.press(**form)
    said = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", asked.text))
    assert "4 calls and messages of account acme were asked about" in said
    assert "would have refused 3, throttled 0 and tagged 0 of them, on 1 account" in said
    assert "It ends by itself after 1 hour." in said
    assert visit.door.house.ledger.modes() == []            # so far it was only asked
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', asked.text))
    for _ in range(2):
        assert (await visit.post("/do", **hidden)).headers["location"] == "/account?name=acme"
    (setting,) = visit.door.house.ledger.modes()
    assert (setting.mode, setting.who, setting.why) == (Mode.BLOCK, "the-operator", "4711")
    page = await visit.page("/account?name=acme")
    assert "Done: account acme: block" in page
    assert "Done:" not in await visit.page("/account?name=acme")
    assert visit.door.call(9) is Verdict.BLOCK
    (entry,) = visit.door.house.ledger.journal({Kind.COMMAND})
    assert entry.body["door"] == "page"


async def test_refused_call_is_explained_by_what_its_sip_trace_shows(visit: Visit) -> None:
    trace = "3c26/a@[2001:db8::7]"
    visit.door.call(1, sip_call_id=trace)
    visit.door.house.ledger.flush()
    await visit.log_in()
    answer = await visit.get("/why", params={"subject": trace})
    assert answer.status_code == 200
    (decision,) = visit.door.house.ledger.decisions()
    assert f"decision {decision.decision_id}" in answer.text
    assert trace in answer.text
    told = await visit.door.ask("GET", f"/v1/why/{quote(trace)}", "viewer")
    assert told.json()["decisions"][0]["decision"] == decision.decision_id


async def test_every_button_of_an_account_does_what_it_says(visit: Visit) -> None:
    await visit.log_in()
    ledger = visit.door.house.ledger
    here = {"account": "acme", "reason": "because", "back": "account:acme"}
    assert "Done: account acme suspended" in await visit.press_twice(do="account.suspend", **here)
    assert ledger.account("acme").standing is Standing.SUSPENDED
    assert "account acme active" in await visit.press_twice(do="account.resume", **here)
    await visit.press_twice(do="account.terminate", after="7d", **here)
    (notice,) = ledger.registers.notices.announcing("acme")
    page = await visit.press_twice(
        do="notice.ack", notice=notice.id, reason="told by phone", back="account:acme"
    )
    assert f"notice {notice.id} acknowledged by the-operator" in page
    await visit.press_twice(do="strike.add", kind="spam", **here)
    (strike,) = ledger.registers.strikes.all()
    assert strike.who == "the-operator"
    page = await visit.press_twice(
        do="strike.withdraw", strike=strike.id, reason="not theirs", back="account:acme"
    )
    assert "withdrawn: not theirs" in page
    await visit.press_twice(do="optout.add", number="+12125550177", **here)
    assert [one.number for one in ledger.registers.opt_outs.all()] == ["+12125550177"]
    await visit.press_twice(do="optout.remove", number="+12125550177", **here)
    assert ledger.registers.opt_outs.all() == []
    assert "in force: small@1" in await visit.press_twice(do="reload", reason="because")
    await visit.press_twice(do="mode.ceiling", mode="monitor", reason="because")
    assert ledger.modes()[-1].ceiling


@pytest.mark.parametrize("fields", [
    {"do": "mode.set", "mode": "block", "reason": ""},
    {"do": "mode.set", "mode": "harsh", "reason": "x"},
    {"do": "mode.set", "mode": "block", "for": "soon", "reason": "x"},
    {"do": "account.suspend", "account": "nobody", "reason": "x"},
    {"do": "account.add", "account": "new", "customer": "new", "type": "pbx", "reason": "x"},
    {"do": "", "reason": "x"},
])
async def test_what_cannot_be_ordered_is_not_asked(visit: Visit, fields: dict[str, str]) -> None:
    await visit.log_in()
    answer = await visit.press(**fields)
    assert answer.status_code == 422
    assert 'action="/do"' not in answer.text


async def test_brake_can_be_pulled_while_nothing_can_be_looked_up(visit: Visit) -> None:
    await visit.log_in()
    await visit.door.front.back.stop()
    asked = await visit.press(do="mode.ceiling", mode="monitor", reason="all wrong")
    assert "The numbers cannot be had just now" in asked.text
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', asked.text))
    page = await visit.page((await visit.post("/do", **hidden)).headers["location"])
    assert "Done: site ceiling: monitor" in page


class Parsed(HTMLParser):
    """What a browser would make of a page: every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


async def test_no_page_has_a_script_or_style_in_it_and_its_policy_forbids_them(visit: Visit) -> None:
    await visit.log_in()
    for path in (*PAGES, "/login", "/nothing-there"):
        answer = await visit.get(path, follow_redirects=True)
        if path != "/nothing-there":
            told = answer.headers["content-security-policy"].split(";")
            policy = dict(part.strip().split(" ", 1) for part in told)
            assert policy["default-src"] == "'none'"
            assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
            assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
            assert answer.headers["cache-control"] == "no-store"
        for tag, attributes in Parsed(answer.text).tags:
            assert tag not in ("style", "iframe", "object", "embed", "base"), path
            assert tag != "script" or (attributes.get("src") or "").startswith("/static/")
            assert tag != "script" or (attributes.get("integrity") or "").startswith("sha384-")
            assert not [name for name in attributes if name.startswith("on") or name == "style"], (path, tag)


async def test_hostile_names_are_only_ever_text(visit: Visit) -> None:
    ledger = visit.door.house.ledger
    ledger.put_accounts([Account(
        HOSTILE, HOSTILE, plan=HOSTILE, standing=Standing.SUSPENDED, standing_reason=HOSTILE
    )])
    ledger.put_mode(ModeSetting(Mode.TAG, HOSTILE, who=HOSTILE, at=1.0, why=HOSTILE))
    visit.door.front.feed.tell("fault", 1.0, {"fault": HOSTILE, "problem": HOSTILE})
    visit.door.house.room.faults.append({"fault": HOSTILE, "at": "2026-11-26T00:00:00+00:00", "x": HOSTILE})
    for name in range(3):
        visit.door.call(name, HOSTILE)
    ledger.flush()
    await visit.log_in()
    seen = 0
    for path, key in (
        ("/", ""), ("/page/live", ""), ("/page/nearest", ""), ("/accounts", ""), ("/accounts", "find"),
        ("/account", "name"), ("/page/account", "name"), ("/page/touched", "name"), ("/whatif", "account"),
        ("/why", "subject"),
    ):
        answer = await visit.get(path, **({"params": {key: HOSTILE}} if key else {}))
        assert answer.status_code == 200, (path, answer.text[-300:])
        seen += "alert(1)" in answer.text
        assert "<script>alert" not in answer.text
        assert "{{7*7}}" in answer.text or "alert(1)" not in answer.text
        assert all(tag != "script" or "src" in attributes for tag, attributes in Parsed(answer.text).tags)
    assert seen >= 6
    asked = await visit.press(do="account.resume", account=HOSTILE, reason=HOSTILE, back=f"account:{HOSTILE}")
    assert "<script>alert" not in asked.text
    trouble = await visit.get("/why", params={"subject": "<script>alert(2)</script>"})
    assert (trouble.status_code, "<script>alert" in trouble.text) == (404, False)


async def test_letters_that_turn_the_line_round_are_spelt_out(visit: Visit) -> None:
    visit.door.house.ledger.put_mode(ModeSetting(Mode.TAG, "acme", who="ann", at=1.0, why="a\u202eb\x07c"))
    visit.door.house.room.look()
    await visit.log_in()
    page = await visit.page("/account?name=acme")
    assert "\u202e" not in page
    assert "a\\x202eb\\x07c" in page


async def test_unknown_account_call_or_file_is_said_so(visit: Visit) -> None:
    await visit.log_in()
    for path, status in (
        ("/account?name=nobody", 404), ("/why?subject=nothing", 404), ("/whatif?account=nobody", 422),
    ):
        answer = await visit.get(path)
        assert answer.status_code == status, path
        assert "That cannot be shown" in answer.text
        assert "Log out" in answer.text
    assert (await visit.get("/static/../render.py")).status_code == 404
    assert (await visit.get("/static/page.js")).headers["content-type"].startswith("text/javascript")
    assert (await visit.get("/account?name=" + "x" * 300)).status_code == 422


@pytest.mark.parametrize(("path", "status", "said"), [
    ("/account", 422, "name: Field required"), ("/why", 422, "subject: Field required"),
    ("/accounts?skip=x", 422, "skip: Input should be a valid integer"),
    ("/nope", 404, "there is nothing at this address"), ("/do", 405, "this address takes POST"),
])
async def test_a_person_who_mistypes_an_address_is_shown_a_page(
    visit: Visit, path: str, status: int, said: str
) -> None:
    await visit.log_in()
    answer = await visit.get(path, headers={"Accept": "text/html,*/*"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert said in answer.text
    assert 'href="/"' in answer.text
    assert "Content-Security-Policy" in answer.headers


async def test_a_program_that_mistypes_an_address_is_told_in_json(visit: Visit) -> None:
    for path in ("/v1/nope", "/nope"):
        answer = await visit.get(path, headers={"Accept": "text/html" if path[:3] == "/v1" else "*/*"})
        assert answer.headers["content-type"] == "application/problem+json"


async def test_htmx_is_the_one_that_its_project_published_and_evaluates_nothing(visit: Visit) -> None:
    page = Parsed(await visit.page("/login"))
    (script,) = [more for tag, more in page.tags if tag == "script" and "htmx" in str(more["src"])]
    assert script["integrity"] == f"sha384-{htmx.SHA384}"
    served = await visit.get(str(script["src"]))
    assert served.headers["content-type"].startswith("text/javascript")
    assert htmx.sha384(served.content) == htmx.SHA384
    (config,) = [more["content"] for tag, more in page.tags if more.get("name") == "htmx-config"]
    told = json.loads(str(config))
    wrong = [key for key in ("allowEval", "includeIndicatorStyles", "allowScriptTags", "historyEnabled")
             if told[key] is not False]
    assert wrong == []


@pytest.mark.parametrize("fault", ["another", "gone"])
async def test_htmx_that_is_another_turns_the_page_off_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setenv("TEST_AMI_SECRET", "s3cret-of-the-test")
    if fault == "another":
        monkeypatch.setattr(htmx, "SHA384", "x" * 64)
    else:
        monkeypatch.setattr(htmx, "PACKAGE", "no_such_package")
    async with http_house(tmp_path) as door:
        told = [one for one in door.house.room.faults if one["fault"] == "live page off"]
        assert len(told) == 1
        assert "pip install --force-reinstall django-js-lib-htmx==2.0.3.1" in told[0]["problem"]
        assert (await door.ask("GET", "/login")).status_code == 404
        assert (await door.get("/v1/overview"))["site"] == "lab"
        assert (await door.admit("1"))["verdict"] == "allow"


async def test_session_outlives_a_restart_and_whoever_logged_out_has_none_after_it(visit: Visit) -> None:
    await visit.log_in()
    keeper = visit.door.app.state.sessions
    assert stat.S_IMODE(keeper._file.stat().st_mode) == 0o600
    assert visit.client.cookies[COOKIE] not in keeper._file.read_text()
    csrf = await visit.csrf()
    visit.door.app.state.sessions = sessions.Sessions(visit.door.front.tokens, visit.door.front.clock)
    assert await visit.csrf() == csrf               # a form that is open is good still
    await visit.post("/logout", csrf=csrf)
    again = sessions.Sessions(visit.door.front.tokens, visit.door.front.clock)
    assert again.of(visit.client.cookies.get(COOKIE)) is None
    keeper._file.write_text("[[1]]")
    assert sessions.Sessions(visit.door.front.tokens, visit.door.front.clock)._sessions == {}


async def test_accounts_nearest_their_limits_are_the_same_by_every_door(visit: Visit) -> None:
    for number in range(3):
        visit.door.call(number)
    visit.door.call(9, "apex")
    visit.door.house.ledger.flush()
    by_http = (await visit.door.get("/v1/nearest"))["nearest"]
    assert [(one["account"], one["percent"], one["level"]) for one in by_http] == [
        ("acme", 300, "critical"), ("apex", 100, "fine"),
    ]
    by_command = visit.door.site.json("nearest")["nearest"]
    by_window = visit.door.house.room.view()["nearest"]
    undated = [[one | {"passed": None} for one in found] for found in (by_http, by_command, by_window)]
    assert undated[0] == undated[1] == undated[2]   # dates are of their moment
    await visit.log_in()
    page = await visit.page("/page/nearest")
    assert re.findall(r'id="near-account-(\w+)"', page) == ["acme", "apex"]
    assert "300 %" in page


async def test_numbers_of_a_button_are_those_of_the_command_line(visit: Visit) -> None:
    for number in range(4):
        visit.door.call(number)
    visit.door.house.ledger.flush()
    await visit.log_in()
    orders: list[dict[str, str]] = [
        {"do": "mode.set", "account": "acme", "mode": "block", "reason": "x"},
        {"do": "mode.ceiling", "mode": "monitor", "reason": "x"},
        {"do": "account.suspend", "account": "acme", "reason": "x"},
        {"do": "strike.add", "account": "acme", "kind": "spam", "reason": "x"},
        {"do": "optout.add", "account": "acme", "number": "+12125550123", "reason": "x"},
        {"do": "reload", "reason": "x"},
    ]
    for order in orders:
        asked = unescape(re.sub(r"<[^>]+>", "", (await visit.press(**order)).text))
        for sentence in visit.door.site.json("foresee", json.dumps(order))["words"]:
            assert sentence.replace("`", "") in asked, (order, sentence)
    asked = (await visit.press(**orders[0])).text
    assert "Set a mode: 3 of 4 calls refused, not 0</button>" in asked
    found = visit.door.site.json("whatif", "--account", "acme", "--last", "24h")
    block = next(one for one in found["modes"] if one["mode"] == "block")
    assert (block["refused"], found["asked"], found["now"]["refused"]) == (3, 4, 0)


def test_page_is_told_what_is_out_of_date_soon_and_not_too_often() -> None:
    told = stream.Told()
    assert told.next({"live": 1, "near": 1}, 0.0) == []
    assert told.next({"live": 2, "near": 1}, 0.2) == ["live"]
    assert told.next({"live": 3, "near": 2}, 0.4) == ["near"]       # live was told of just now
    assert told.next({"live": 3, "near": 3}, 0.7) == ["live"]
    assert told.next({"live": 3, "near": 3}, 2.3) == []
    assert told.next({"live": 3, "near": 3}, 2.4) == ["near"]


def test_account_is_told_of_within_a_second_and_once_more_for_slow_disks() -> None:
    told = stream.Told(lambda: 3.0)
    assert told.next({"account": 1}, 0.0) == []
    assert told.next({"account": 2}, 10.0) == []            # it is not on the disk yet
    assert told.next({"account": 2}, 10.2) == ["account"]
    assert told.next({"account": 2}, 11.2) == ["account"]
    assert told.next({"account": 3}, 11.4) == []            # the clerk needs a rest
    assert told.next({"account": 3}, 14.3) == ["account"]


def test_sheet_keeps_dates_as_they_are_beside_a_name_from_right_to_left() -> None:
    sheet = STATIC["page.css"][0].decode()
    assert "time, a, strong, .small, .soft, .word { unicode-bidi: isolate; }" in sheet


def test_sheet_moves_nothing() -> None:
    sheet = STATIC["page.css"][0].decode()
    assert not re.search(r"animation|transition|@keyframes|scroll-behavior", sheet)


def test_plot_has_room_for_every_minute_and_adds_up() -> None:
    minutes = [
        {"minute": 60 * n, "allow": n, "tag": 1, "throttle": 0, "block": n % 3, "exempt": 0,
         "leased": 5}
        for n in range(60)
    ]
    drawn = plot(minutes)
    assert drawn.total == {"leased": 300, "exempt": 0, "allow": 1770, "tag": 60, "throttle": 0, "block": 60}
    assert {word: sum(row[word] for row in drawn.rows) for word in drawn.total} == drawn.total
    boxes = [
        tuple(map(float, one)) for path in drawn.areas.values()
        for one in re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)h-[\d.]+z", path)
    ]
    assert len(boxes) == 59 + 60 + 40 + 60          # a column for each verdict of each minute that has any
    for x, y, width, height in boxes:
        assert x >= 34
        assert y >= 0
        assert y + height <= 200.02
        assert x + width <= 720
    assert "1,770 allow" in drawn.words
    assert [nice(n) for n in (0, 1, 2, 3, 10, 11, 61, 100, 101)] == [2, 2, 2, 4, 10, 20, 100, 100, 200]
