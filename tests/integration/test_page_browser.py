"""The live page in a real Chromium: by mouse and keyboard, wide and narrow, by light and in the dark."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from enforcer import app
from enforcer.domain.decision import Verdict
from enforcer.domain.mode import Mode
from lab.provision import LabUnavailable, Provisioned, provision
from tests.support.browser import launching
from tests.support.busy_site import busy_site
from tests.support.http_house import Door

# One Chromium and one site for all; Chromium may have to be fetched first.
pytestmark = [pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
PATHS = (
    ("overview", "/"), ("account", "/account?name=globex-sales"), ("whatif", "/whatif?last=6h"),
    ("accounts", "/accounts"), ("why", "/why?subject=globex-sales"),
)
expect.set_options(timeout=20_000)      # a clerk that is started first takes its time on a busy machine
# Where the pictures go that people look at.
PICTURES = os.environ.get("ENFORCER_PAGE_PICTURES", "")


@pytest.fixture(scope="session")
def chromium() -> Provisioned:
    try:
        return provision(["chromium"])["chromium"]
    except LabUnavailable as reason:
        pytest.skip(f"no Chromium here: {reason}")


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
async def looking(browser: Browser, door: Door, role: str = "operator", **more: Any) -> AsyncIterator[Page]:
    """Somebody logged in, whose browser does not complain: no script failed, no policy was broken."""
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
    assert complaints == []
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
                        await expect(page.locator("[hx-get^='/page/touched'] table").first).to_be_visible()
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
        decided = page.locator("#decided")
        before = int((await decided.inner_text()).replace(",", ""))
        door.call(1, "wayne-home")
        await expect(decided).to_have_text(str(before + 1))
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
        before = await page.locator("#decided").inner_text()
        door.call(2, "wayne-home")
        await expect(page.locator("#decided")).not_to_have_text(before)
        assert await page.evaluate("document.activeElement.textContent") == "globex-sales"
        await expect(page.get_by_role("table", name="Decisions by verdict")).to_be_visible()


async def test_page_says_so_when_it_is_not_up_to_date(browser: Browser, door: Door) -> None:
    async with looking(browser, door) as page:
        state = page.locator("#link-state")
        await expect(state).to_be_hidden()
        await page.evaluate("AbortSignal.timeout = () => AbortSignal.abort()")      # as if nobody answered
        await expect(state).to_contain_text("not up to date")
        await page.reload()
        await expect(page.locator("#decided")).to_be_visible()
        await expect(state).to_be_hidden()


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


async def tabbed_to(page: Page, words: str) -> None:
    """Press Tab until what these words stand on has the focus."""
    for _ in range(80):
        await page.keyboard.press("Tab")
        if (await page.evaluate("document.activeElement.textContent")).strip() == words:
            return
    raise AssertionError(f"Tab never came to {words!r}")
