"""The whole road with eyes on it: SIPp calls, a real Asterisk asks, Chromium shows it; what is pressed there
holds for the next call, shows at a real Mosquitto and on the command line."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.process import free_port
from lab.provision import Provisioned
from lab.sipp import Call, Callee, place
from tests.support.broker import Broker
from tests.support.browser import launching
from tests.support.parts import provided

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(300)]       # Chromium may have to be fetched first

expect.set_options(timeout=20_000)      # a clerk that is started first takes its time on a busy machine
NUMBER = "12025550142"
POLICY = """
[pack]
name = "road"
revision = "1"
[[rule]]
id = "few"
kind = "attempts"
clause = "1 Fair Use"
critical = { at = 1, verdict = "block" }
"""
MORE = """
[lease]
seconds = 0
[http]
listen = "127.0.0.1:{http}"
[mqtt]
url = "mqtt://enforcer@127.0.0.1:{mqtt}"
secret_env = "TEST_MQTT_SECRET"
"""


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with Broker(provided("mosquitto")) as found:
        yield found


@pytest.fixture
def chromium() -> Provisioned:
    return provided("chromium")["chromium"]


async def test_call_appears_and_block_pressed_on_the_page_refuses_the_next_with_403(
    lab_parts: Mapping[str, Provisioned], chromium: Provisioned, broker: Broker, tmp_path: Path
) -> None:
    port = free_port(socket.SOCK_STREAM)
    site, eyes = tmp_path / "site", tmp_path / "chromium"
    site.mkdir()
    eyes.mkdir()
    async with (
        Asterisk(lab_parts["asterisk"]) as switch,
        Callee(lab_parts["sipp"], switch.carrier_port),
        Enforcer(
            site, switch, POLICY, accounts="acme,acme-co,pbx,,,,\n", mode="monitor",
            more=MORE.format(http=port, mqtt=broker.port), env={"TEST_MQTT_SECRET": "s3cret-of-the-broker"},
        ) as enforcer,
        async_playwright() as playwright,
        broker.client("watcher") as watcher,
    ):
        async def call() -> int:
            done = await place(lab_parts["sipp"], switch.sip_address, [Call("acme", NUMBER, 0.1)])
            (code,) = done.codes
            return code

        shown = await enforcer.command("token", "create", "ann", "--role", "operator")
        token = re.search(r"enf_\S+", shown)
        assert token is not None
        browser = await playwright.chromium.launch(**launching(chromium, eyes))
        page = await browser.new_page(base_url=f"http://127.0.0.1:{port}")
        await page.goto("/")
        await page.get_by_label("Token").fill(token[0])
        await page.get_by_role("button", name="Log in").click()
        await expect(page.locator("#decided")).to_have_text("0")

        assert [await call() for _ in range(2)] == [200, 200]
        await expect(page.locator("#decided")).to_have_text("2")
        lately = page.get_by_role("region", name="Lately")
        await expect(lately).to_contain_text(f"call to {NUMBER}: allow (would be block)")

        await lately.get_by_role("link", name="acme", exact=True).click()
        form = page.locator("#do-mode")
        await form.locator("summary").click()
        await form.get_by_label("Mode").select_option("block")
        await form.get_by_label("For").select_option("1h")
        await form.get_by_label("Reason").fill("complaint 4711")
        await form.get_by_role("button").click()
        await expect(page.get_by_text("would have refused 1, throttled 0 and tagged 0")).to_be_visible()
        await watcher.subscribe("enforcer/lab/account/acme/mode")
        pressed = time.time()
        await page.get_by_role("button", name="Set a mode").click()
        await expect(page.get_by_text("Done: account acme: block")).to_be_visible()

        assert await call() == 403
        async with asyncio.timeout(5):
            async for message in watcher.messages:
                assert isinstance(message.payload, bytes)
                told = json.loads(message.payload)
                if told["mode"] == "block":
                    break
        assert (told["who"], told["why"]) == ("ann", "complaint 4711")
        (setting,) = [one for one in await enforcer.json("mode") if one["account"] == "acme"]
        assert (setting["mode"], setting["who"], setting["why"]) == ("block", "ann", "complaint 4711")
        assert setting["until"] is not None
        await page.goto("/")
        await expect(page.get_by_role("region", name="Lately")).to_contain_text(f"call to {NUMBER}: block")
        explained = page.get_by_role("region", name="Lately").get_by_role("link", name="why").first
        await explained.click()
        await expect(page.get_by_text("The call was blocked")).to_be_visible()
        await expect(page.get_by_text("complaint 4711").first).to_be_visible()
        assert time.time() > pressed
        await browser.close()
