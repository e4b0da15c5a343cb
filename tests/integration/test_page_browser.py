"""The live page in a real Chromium: by mouse and keyboard, wide and narrow, by light and in the dark."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

from enforcer import app
from enforcer.domain.call import CallAttempt, Direction
from enforcer.domain.decision import Verdict
from enforcer.domain.mode import Mode
from lab.process import free_port
from lab.provision import Provisioned
from tests.support.browser import launching
from tests.support.busy_site import busy_site
from tests.support.http_house import Door
from tests.support.parts import provided

# One Chromium and one site for all; Chromium may have to be fetched first.
pytestmark = [pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 780}
PATHS = (
    ("overview", "/"), ("account", "/account?name=globex-sales"), ("whatif", "/whatif?last=6h"),
    ("accounts", "/accounts"), ("why", "/why?subject=globex-sales"),
)
expect.set_options(timeout=20_000)      # a clerk that is started first takes its time on a busy machine
# Where the pictures go that people look at.
PICTURES = os.environ.get("ENFORCER_PAGE_PICTURES", "")


@pytest.fixture(scope="session")
def chromium() -> Provisioned:
    return provided("chromium")["chromium"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(
    chromium: Provisioned, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Browser]:
    directory = tmp_path_factory.mktemp("chromium")
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(**launching(chromium, directory))
        yield found
        await found.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    found = Path(PICTURES) if PICTURES else tmp_path / "pictures"
    found.mkdir(parents=True, exist_ok=True)
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    with pytest.MonkeyPatch.context() as patch:
        async with busy_site(tmp_path_factory.mktemp("site"), patch.setenv) as found:
            yield found


@asynccontextmanager
async def looking(
    browser: Browser, door: Door, role: str = "operator", excused: str = "", **more: Any
) -> AsyncIterator[Page]:
    """Somebody logged in, whose browser does not complain: no script failed, no policy was broken. Complaints
    that match `excused` are what the test is about."""
    context = await browser.new_context(**{"viewport": DESKTOP, "base_url": door.url, **more})
    context.set_default_timeout(30_000)
    complaints: list[str] = []
    page = await context.new_page()
    page.on("console", lambda one: complaints.append(one.text) if one.type in ("error", "warning") else None)
    page.on("pageerror", lambda one: complaints.append(str(one)))
    await page.goto("/")
    await page.get_by_label("Token").fill(door.tokens[role])
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("link", name="Overview")).to_be_visible()
    yield page
    assert [one for one in complaints if not excused or not re.search(excused, one)] == []
    await context.close()


async def test_pictures_of_every_page_wide_narrow_light_and_dark(
    browser: Browser, door: Door, pictures: Path
) -> None:
    # All that people look at where they say where the pictures go; else the two pages that say the most.
    paths = PATHS if PICTURES else PATHS[:2]
    for size, viewport in (("desktop", DESKTOP), ("phone", PHONE)):
        for scheme in ("light", "dark") if PICTURES else ("light",) if size == "desktop" else ("dark",):
            async with looking(browser, door, viewport=viewport, color_scheme=scheme) as page:
                for name, path in paths:
                    await page.goto(path)
                    if name == "overview":
                        await expect(page.locator("[hx-get='/page/nearest'] table")).to_be_visible()
                    if name == "account":
                        await expect(page.locator("#touched-part table").first).to_be_visible()
                    assert await page.evaluate(WIDER) == [], (name, size)
                    assert await page.evaluate(FAINT) == [], (name, scheme)
                    file = pictures / f"{name}-{size}-{scheme}"
                    await page.screenshot(path=f"{file}.png", full_page=True)
                    if name == "overview":
                        await page.screenshot(path=f"{file}-above.png")     # what the README shows
    assert len(os.listdir(pictures)) >= (4 * len(paths) + 4 if PICTURES else 6)


# What sticks out of the page to the right, so that a phone would have to be pushed about.
WIDER = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("body *")].filter((one) =>
    one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".scroll")).map((one) =>
    one.tagName + " " + one.className + " " + one.textContent.slice(0, 40))"""
# Text whose contrast to what lies behind it is below 4.5, or 3 where it is large (WCAG 2.2, 1.4.3).
FAINT = """() => {
  const parsed = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = (rgb) => {
    const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = rgb.slice(0, 3).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = parsed(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = new Set();
  for (const one of document.querySelectorAll("body *")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || one.closest("svg") || !one.checkVisibility() || one.closest(".unseen")) continue;
    const style = getComputedStyle(one);
    const pair = [light(parsed(style.color)), light(behind(one))].sort();
    const contrast = (pair[1] + 0.05) / (pair[0] + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (contrast < (large ? 3 : 4.5)) found.add(`${one.tagName}.${one.className} ${contrast.toFixed(2)}`);
  }
  return [...found];
}"""


async def test_call_and_mode_appear_without_anybody_loading_the_page(browser: Browser, door: Door) -> None:
    async with looking(browser, door) as page:
        door.call(1, "wayne-home")
        await expect(page.locator("#decided")).to_have_text(await decided(page))
        door.site.ok("mode", "set", "tag", "--account", "wayne-home", "--reason", "a look by the terminal")
        assert door.house.ledger.changed_elsewhere()
        app.changed(door.house)
        modes = page.get_by_role("region", name="Modes in force")
        await expect(modes).to_contain_text("a look by the terminal")
        await expect(page.locator("#news")).to_contain_text("account wayne-home: mode tag")


async def test_mode_is_set_by_keyboard_alone_and_asked_about_in_numbers(
    browser: Browser, door: Door, pictures: Path
) -> None:
    async with looking(browser, door) as page:
        await page.goto("/account?name=acme-office")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.textContent") == "Skip to the content"
        await page.keyboard.press("Enter")
        await tabbed_to(page, "Set a mode")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await page.keyboard.type("block")
        await page.keyboard.press("Tab")
        await page.keyboard.type("1h")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.type("they were told twice")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Set a mode?")).to_be_visible()
        await expect(page.get_by_text("would have refused")).to_be_visible()
        assert mode_of(door, "acme-office") is Mode.MONITOR
        await page.screenshot(path=str(pictures / "ask-desktop-light.png"), full_page=True)
        await tabbed_to(page, "Set a mode")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status").filter(has_text="Done:")).to_have_text(
            "Done: account acme-office: block"
        )
        assert mode_of(door, "acme-office") is Mode.BLOCK


async def test_keyboard_goes_through_every_page_and_shows_where_it_is(browser: Browser, door: Door) -> None:
    async with looking(browser, door, viewport=PHONE) as page:
        for path in ("/accounts", "/account?name=globex-sales"):
            await page.goto(path)
            stops = 0
            while stops < 300:
                await page.keyboard.press("Tab")
                shown = await page.evaluate(FOCUS)
                if shown is None:
                    break
                stops += 1
                assert shown["outline"] != "none", shown
                assert shown["width"] >= 2, shown
            assert 5 < stops < 300, path            # out at the end again: no trap


async def test_focus_stays_where_it_is_while_the_page_changes_under_it(browser: Browser, door: Door) -> None:
    async with looking(browser, door) as page:
        link = page.get_by_role("region", name="Modes in force").get_by_role("link", name="globex-sales")
        await link.focus()
        await page.get_by_text("The same as a table").click()
        await link.focus()
        await page.evaluate("document.activeElement.dataset.mine = 'yes'")
        before = await page.locator("#decided").inner_text()
        door.call(2, "wayne-home")
        await expect(page.locator("#decided")).not_to_have_text(before)
        assert await page.evaluate("document.activeElement.textContent") == "globex-sales"
        await expect(page.get_by_role("table", name="Decisions by verdict")).to_be_visible()


async def test_what_moves_goes_and_comes_keeps_its_focus_its_fold_and_its_text(
    browser: Browser, door: Door
) -> None:
    async with looking(browser, door) as page:
        await page.goto("/accounts")
        assert await page.evaluate(SWAPS) == [
            ["b", "c2", "d"], ["", "d", "c2", "b"], ["b3", "d", "c2"], ["b3", "open", "typed"],
            ["b2", "open", "typed"],
        ]


# Swaps of a list whose second row has the focus: what is left after each, and what became of that row.
SWAPS = """() => {
  const list = document.createElement("ul");
  list.setAttribute("hx-swap", "kept");
  document.querySelector("main").append(list);
  const row = (id, text) => `<li id="${id}">${text}<details><summary>s</summary><input></details></li>`;
  const swap = (html) => htmx.swap(list, html, { swapStyle: "kept" }, { contextElement: list });
  const texts = () => [...list.children].map((one) => one.firstChild ? one.firstChild.data : "");
  const seen = [];
  swap(row("a", "a") + row("b", "b") + row("c", "c"));
  const mine = list.querySelector("#b input"), fold = mine.closest("details");
  fold.open = true;
  mine.value = "typed";
  mine.focus();
  const state = () =>
    [mine.closest("li").firstChild.data, fold.open ? "open" : "", document.activeElement.value];
  swap(row("b", "b") + row("c", "c2") + row("d", "d"));
  seen.push(texts());
  swap("<li></li>" + row("d", "d") + row("c", "c2") + row("b", "b"));
  seen.push(texts());
  swap(row("b", "b3") + row("d", "d") + row("c", "c2"));
  seen.push(texts(), state());
  swap(row("c", "c2"));
  swap(row("b", "b2") + row("c", "c2"));
  seen.push(state());
  list.remove();
  return seen;
}"""


async def test_account_follows_what_every_door_does_while_somebody_types_there(
    browser: Browser, door: Door
) -> None:
    async with looking(browser, door) as page:
        await page.goto("/account?name=initech-hq")
        await page.locator("#do-suspend summary").click()
        reason = page.locator("#do-suspend").get_by_label("Reason")
        await reason.fill("they asked for it")
        await page.keyboard.press("Home")
        await page.evaluate("document.activeElement.mine = 'the very same'")
        calls = page.get_by_role("region", name="Calls")
        decision = door.house.admission.admit(CallAttempt(
            call_id="pbx1/9001", account="initech-hq", number="12025550177", caller="", at=time.time(),
            direction=Direction.OUTBOUND, switch="pbx1",
        ))
        assert decision.verdict is Verdict.ALLOW
        await expect(calls).to_contain_text("12025550177")              # a switch
        await expect(calls.get_by_role("row").nth(1)).to_contain_text("in progress")
        door.site.ok("mode", "set", "tag", "--account", "initech-hq", "--reason", "a look by terminal")
        modes = page.get_by_role("region", name="Who, and which modes apply")
        await expect(modes).to_contain_text("a look by terminal")       # the command line
        await expect(page.locator("#rule-minutes")).to_contain_text("a look by terminal")
        door.site.ok("strike", "add", "--account", "initech-hq", "--kind", "spam", "--reason", "12 reports")
        await expect(page.get_by_role("region", name="Strikes")).to_contain_text("12 reports")
        await expect(page.locator("#rule-repeat")).to_contain_text("1 in 180 days")
        answer = await door.ask("POST", "/v1/orders", json={
            "do": "account.suspend", "account": "initech-hq", "reason": "by a program"})
        assert answer.status_code == 200, answer.text
        await expect(page.get_by_role("heading", level=1)).to_contain_text("suspended")     # HTTP
        news = page.locator("#news")
        await expect(news).to_contain_text("initech-hq: suspended. account initech-hq: mode tag.")
        await expect(news).to_contain_text("1 strikes.")
        # The form is about what is done already, and stays: somebody is at it.
        assert await page.evaluate(
            "[document.activeElement.mine, document.activeElement.value, document.activeElement.selectionEnd]"
        ) == ["the very same", "they asked for it", 0]
        door.site.ok("account", "resume", "initech-hq", "--reason", "the test is over")
        await expect(page.get_by_role("heading", level=1)).to_contain_text("active")


async def test_question_is_a_dialogue_that_the_keyboard_opens_goes_round_in_and_leaves(
    browser: Browser, door: Door
) -> None:
    async with looking(browser, door, excused="422") as page:
        await page.goto("/account?name=wayne-home")
        await page.evaluate("htmx.config.defaultSettleDelay = 500")     # a browser with much else to do
        form = page.locator("#do-mode")
        await form.locator("summary").focus()
        await page.keyboard.press("Enter")
        await form.get_by_label("Mode").select_option("block")
        await form.get_by_label("Reason").fill("a question")
        await form.get_by_role("button").focus()
        await page.keyboard.press("Enter")
        dialogue = page.get_by_role("dialog", name="Set a mode?")
        await expect(dialogue).to_be_visible()
        assert await page.evaluate("document.activeElement.id") == "ask-title"     # Enter does no harm
        seen = set()
        for _ in range(6):
            await page.keyboard.press("Tab")
            inside = await page.evaluate("document.activeElement.closest('dialog, body').tagName")
            seen.add(inside)
        assert "DIALOG" in seen
        assert await page.evaluate("document.querySelector('main').contains(document.activeElement)") is False
        await page.keyboard.press("Escape")
        await expect(dialogue).to_be_hidden()
        assert await page.evaluate("document.activeElement.textContent") == "Show what it will do"
        assert await form.get_by_label("Reason").input_value() == "a question"      # nothing is lost
        await page.keyboard.press("Enter")
        await expect(dialogue).to_be_visible()
        await tabbed_to(page, "No, go back")
        await expect(dialogue).not_to_have_class(re.compile("settling"))            # and the focus stays
        await page.keyboard.press("Enter")
        await expect(dialogue).to_be_hidden()
        assert mode_of(door, "wayne-home") is not Mode.BLOCK
        await form.get_by_label("Reason").fill(" ")
        await form.get_by_role("button").click()                                    # a reason of nothing
        await expect(page.get_by_role("alert")).to_contain_text("say why")


async def decided(page: Page) -> str:
    """The decisions of this hour, as the enforcer has them now: with each minute some may leave the hour."""
    told = await (await page.request.get("/page/live")).text()
    return re.search(r'id="decided">([0-9,]+)<', told)[1]  # type: ignore[index]


async def test_page_says_when_the_enforcer_is_gone_and_heals_itself(browser: Browser, door: Door) -> None:
    async with (
        wire(door.port) as line,
        looking(browser, door, base_url=line.url, excused="net::ERR_|^htmx:") as page,
    ):
        state = page.locator("#link-state")
        await expect(state).to_be_hidden()
        await line.cut()
        await expect(state).to_contain_text("Not up to date: the enforcer does not answer")
        door.call(31, "wayne-home")
        await line.mend()
        await expect(state).to_be_hidden()
        await expect(page.locator("#decided")).to_have_text(await decided(page))
        door.call(32, "wayne-home")                         # and follows what happens again
        await expect(page.locator("#decided")).to_have_text(await decided(page))


async def test_page_says_what_to_do_when_its_session_is_over(browser: Browser, door: Door) -> None:
    async with looking(browser, door, excused="401") as page:
        await page.goto("/account?name=acme-office")
        (cookie,) = await page.context.cookies()
        door.app.state.sessions.end(cookie["value"])
        door.call(33, "acme-office")
        over = page.get_by_role("alert").filter(has_text="Your session has ended")
        await expect(over).to_be_visible()
        await over.get_by_role("link", name="Log in again").click()
        await page.get_by_label("Token").fill(door.tokens["operator"])
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("acme-office")


async def test_no_page_has_what_axe_finds_fault_with(browser: Browser, door: Door) -> None:
    axe = Axe()
    found: list[str] = []
    async with looking(browser, door) as page:
        for name, path in (*PATHS, ("ask", "/account?name=acme-office")):
            await page.goto(path)
            if name in ("account", "ask"):
                await expect(page.locator("#touched-part table").first).to_be_visible()
            if name == "account":
                for summary in await page.locator("#do-mode summary, [id^=ack] summary").all():
                    await summary.click()
            if name == "ask":
                await page.locator("#do-suspend summary").click()
                await page.locator("#do-suspend").get_by_label("Reason").fill("axe")
                await page.locator("#do-suspend").get_by_role("button").click()
                await expect(page.get_by_role("dialog")).to_be_visible()
            for size in (DESKTOP, PHONE):
                await page.set_viewport_size(size)          # type: ignore[arg-type]
                for scheme in ("light", "dark"):
                    await page.emulate_media(color_scheme=scheme)       # type: ignore[arg-type]
                    # Wide and light, narrow and dark: all rules; the others: what colours and sizes change.
                    every = (scheme == "dark") is (size is PHONE)
                    results = await axe.run(page, options=AXE_ALL if every else AXE_LOOKS)
                    found += [
                        f"{name} {size['width']} {scheme}: {one['id']}: {node['html'][:120]}"
                        for one in results.response["violations"] for node in one["nodes"]
                    ]
                    assert await page.evaluate(WIDER) == [], (name, size)
                if size is PHONE:
                    assert await page.evaluate(SMALL) == [], name
    assert found == []


AXE_ALL = {"runOnly": {"type": "tag", "values": [
    "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}
AXE_LOOKS = {"runOnly": {"type": "rule", "values": ["color-contrast", "target-size"]}}
# What is pressed with a thumb, and is lower than 24 pixels (WCAG 2.2, 2.5.8); buttons, fields and what folds
# out: than 44 (2.5.5). Links in the midst of text are as high as it.
SMALL = """() => [...document.querySelectorAll("a, button, summary, input:not([type=hidden]), select")]
  .filter((one) => one.checkVisibility() && !one.closest(".skip") && !one.closest("p, li, .why"))
  .map((one) => [one, one.getBoundingClientRect().height])
  .filter(([one, height]) => height < (one.matches("a") ? 24 : 43.5))
  .map(([one, height]) => one.outerHTML.slice(0, 100) + " " + height)"""


async def test_everything_works_without_a_script(browser: Browser, door: Door) -> None:
    async with looking(browser, door, java_script_enabled=False) as page:
        await expect(page.get_by_role("region", name="Now")).to_contain_text("Calls in progress")
        await page.goto("/account?name=wayne-home")
        await page.get_by_text("Suspend", exact=True).click()
        form = page.locator("#do-suspend")
        await form.get_by_label("Reason").fill("unpaid")
        await form.get_by_role("button").click()
        await expect(page.get_by_text("Emergency calls always go.")).to_be_visible()
        await page.get_by_role("button", name="Suspend an account").click()
        await expect(page.get_by_text("Done: account wayne-home suspended")).to_be_visible()
        assert door.call(3, "wayne-home") is Verdict.BLOCK
        await page.goto("/whatif?account=wayne-home&last=1h")
        await expect(page.get_by_role("table").first).to_contain_text("as it is now")


async def test_screen_reader_finds_names_and_the_plot_in_words(browser: Browser, door: Door) -> None:
    async with looking(browser, door, role="viewer") as page:
        for path in ("/", "/accounts", "/account?name=globex-sales", "/whatif", "/why?subject=acme-office"):
            await page.goto(path)
            assert await page.evaluate(UNNAMED) == [], path
            assert await page.locator("main").count() == 1
            assert await page.locator("h1").count() == 1
            assert await page.get_by_role("button", name="Log out").count() == 1
            assert await page.get_by_role("button", name="Show what it will do").count() == 0
        await page.goto("/")
        plot = page.get_by_role("img", name="Decisions a minute over the last 60 minutes")
        await expect(plot).to_be_visible()


# The element that has the focus, with what shows it; null where that is none on the page.
FOCUS = """() => {
  const one = document.activeElement;
  if (!one || one === document.body || one === document.documentElement) return null;
  const style = getComputedStyle(one);
  return {
    what: one.outerHTML.slice(0, 80), outline: style.outlineStyle, width: parseFloat(style.outlineWidth),
  };
}"""
# Controls and regions that nobody who does not see could tell apart, and ids that are there twice.
UNNAMED = """() => {
  const found = [];
  for (const one of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
    if (!one.labels.length && !one.getAttribute("aria-label")) found.push(one.outerHTML);
  for (const one of document.querySelectorAll("a, button, summary"))
    if (!one.textContent.trim() && !one.getAttribute("aria-label")) found.push(one.outerHTML);
  for (const one of document.querySelectorAll("[aria-labelledby], [aria-describedby]"))
    for (const id of (one.getAttribute("aria-labelledby") || one.getAttribute("aria-describedby")).split(" "))
      if (!document.getElementById(id)) found.push(id);
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  found.push(...ids.filter((id, at) => ids.indexOf(id) !== at));
  for (const one of document.querySelectorAll("table"))
    if (![...one.querySelectorAll("thead th")].every((th) => th.scope))
      found.push(one.outerHTML.slice(0, 80));
  return found;
}"""


def mode_of(door: Door, account: str) -> Mode:
    """The mode that the account's next call meets."""
    return door.house.admission.modes.resolve(account, "calls", "", time.time()).mode


class Wire:
    """The line from a browser to the enforcer, to be cut and mended."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._port = free_port(socket.SOCK_STREAM)
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self.url = f"http://127.0.0.1:{self._port}"

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._came, "127.0.0.1", self._port)

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for end in self._ends:
            end.transport.abort()
        await self._server.wait_closed()

    async def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        self._ends |= {writer, far_writer}
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._carry(reader, far_writer))
            tasks.create_task(self._carry(far_reader, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
        self._ends.discard(writer)


@asynccontextmanager
async def wire(port: int) -> AsyncIterator[Wire]:
    found = Wire(port)
    await found.mend()
    try:
        yield found
    finally:
        await found.cut()


async def tabbed_to(page: Page, words: str) -> None:
    """Press Tab until what these words stand on has the focus."""
    for _ in range(80):
        await page.keyboard.press("Tab")
        if (await page.evaluate("document.activeElement.textContent")).strip().startswith(words):
            return
    raise AssertionError(f"Tab never came to {words!r}")
