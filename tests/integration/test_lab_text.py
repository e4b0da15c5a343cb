"""Text messages of one's own on the running lab, as the hints of `make run` offer them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lab import text
from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.provision import Provisioned
from lab.stage import DEMO
from lab.texter import Texter
from tests.support.standing import standing


@pytest.fixture(scope="module")
def switch(lab_parts: Mapping[str, Provisioned]) -> Iterator[Asterisk]:
    yield from standing(Asterisk(lab_parts["asterisk"]))


async def test_messages_of_the_demonstration_pass_are_refused_and_stopped(
    switch: Asterisk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    accounts = "".join((DEMO / "accounts.csv").read_text().splitlines(keepends=True)[1:])
    policy = (DEMO / "policy.toml").read_text()
    enforcer = Enforcer(tmp_path, switch, policy, accounts=accounts, more="messages = true")
    async with enforcer, Texter(switch.sip_address, switch.carrier_port):

        async def write(account: str, number: str, words: str = "hello") -> tuple[int, str]:
            code = await text.write(switch.sip_address, switch.phones_port, account, number, words)
            return code, capsys.readouterr().out

        for _ in range(3):
            assert await write("acme", "12025550142") == (0, "acme -> 12025550142: 202\n")
        code, said = await write("acme", "12025550142")
        assert code == 1
        assert "acme <- Not sent to 12025550142: refused by the rule few-messages [" in said
        assert await write("12025550177", "12025550102", "Stop!") == (0, "12025550177 -> 12025550102: 202\n")
        assert (await write("globex", "12025550177"))[0] == 1
        assert (await write("globex", "911"))[0] == 0


def test_without_a_lab_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENFORCER_LAB_DIR", str(tmp_path))
    assert text.main(["acme", "12025550142"]) == 3
    assert "no real switch is running here" in capsys.readouterr().err
