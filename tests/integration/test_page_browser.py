"""The live page in a real Chromium: by mouse and keyboard, wide and narrow, by light and in the dark."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from lab.provision import LabUnavailable, Provisioned, provision
from tests.support.browser import launching
from tests.support.busy_site import ACCOUNTS, PACK, an_hour
from tests.support.http_house import Door, http_house

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
# Where the pictures go that people look at: .lab/page unless named.
PICTURES = os.environ.get("ENFORCER_PAGE_PICTURES", "")


@pytest.fixture(scope="session")
def chromium() -> Provisioned:
    try:
        return provision(["chromium"])["chromium"]
    except LabUnavailable as reason:
        pytest.skip(f"no Chromium here: {reason}")


@pytest.fixture
async def browser(chromium: Provisioned, tmp_path: Path) -> AsyncIterator[Browser]:
    directory = tmp_path / "chromium"
    directory.mkdir()
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(**launching(chromium, directory))
        yield found
        await found.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    found = Path(PICTURES) if PICTURES else tmp_path / "pictures"
    found.mkdir(parents=True, exist_ok=True)
    return found


@pytest.fixture
async def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    monkeypatch.setenv("TEST_AMI_SECRET", "s3cret-of-the-test")
    directory = tmp_path / "site"
    directory.mkdir()
    async with http_house(directory, mode="monitor", pack=PACK, listening=True) as found:
        found.site.ok("account", "import", found.site.file("busy.csv", ACCOUNTS))
        assert found.house.ledger.changed_elsewhere()
        an_hour(found.house)
        yield found


@asynccontextmanager
async def looking(browser: Browser, door: Door, role: str = "operator", **more: Any) -> AsyncIterator[Page]:
    """Somebody logged in, whose browser does not complain: no script failed, no policy was broken."""
    context = await browser.new_context(**{"viewport": DESKTOP, "base_url": door.url, **more})
    context.set_default_timeout(10_000)
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
    for size, viewport in (("desktop", DESKTOP), ("phone", PHONE)):
        for scheme in ("light", "dark"):
            async with looking(browser, door, viewport=viewport, color_scheme=scheme) as page:
                for name, path in (
                    ("overview", "/"), ("account", "/account?name=globex-sales"),
                    ("whatif", "/whatif?last=6h"), ("accounts", "/accounts"),
                    ("why", "/why?subject=globex-sales"),
                ):
                    await page.goto(path)
                    if name == "overview":
                        await expect(page.locator("[hx-get='/page/nearest'] table")).to_be_visible()
                    if name == "account":
                        await expect(page.locator("[hx-get^='/page/touched'] table").first).to_be_visible()
                    assert await page.evaluate(WIDER) == []
                    if name in ("overview", "account", "whatif") or (size, scheme) == ("desktop", "light"):
                        assert await page.evaluate(FAINT) == [], (name, scheme)
                    file = pictures / f"{name}-{size}-{scheme}.png"
                    await page.screenshot(path=str(file), full_page=True)
    assert len(os.listdir(pictures)) >= 20


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
