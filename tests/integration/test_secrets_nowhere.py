"""A whole house with marked secrets runs, is asked everything, fails in every way that it can; then all that
it wrote anywhere is searched for them, plain and in the forms in which a secret leaks: base64, URL, hex."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import signal
import sys
import time
import urllib.request
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import structlog
from typer.testing import CliRunner

from enforcer.__main__ import _probe
from enforcer.control.cli import Outside, app
from enforcer.settings import Settings
from enforcer.telemetry import set_up_logging
from tests.support.ami_server import ami_server, response
from tests.support.esl_server import esl_server
from tests.support.receivers import HttpReceiver, MailReceiver

# With characters that URLs and base64 change, so that each form differs from the plain one.
SECRETS = {
    "ENFORCER_AMI_SECRET": "Ami+zq7/Kx4?Vd9", "ENFORCER_ESL_SECRET": "Esl+wp3/Jh8?Rt2",
    "ENFORCER_SMTP_PASSWORD": "Smtp-hn6_Bc1~Gf5", "ENFORCER_HOOK_PASSWORD": "Hook-vm2_Ls9~Xe7",
}
CONTACT = "Cust-ry4_Ew8~Tq3"    # of a customer's own address: kept in the ledger, because notices go there
OPS_FILE = "File-uk1_Zo5~Pd6"   # of an address in ops_file
MARKS = (*SECRETS.values(), CONTACT, OPS_FILE)
PACK = """
[pack]
name = "p"
revision = "1"
contact = "Anna"
[[rule]]
id = "calls"
kind = "attempts"
clause = "Fair Use"
critical = { at = 1, verdict = "block" }
notice = { grace = "7d" }
"""
CONFIG = """
site = "lab"
[ledger]
url = "sqlite:///var/enforcer.db"
[policy]
packs = ["pack.toml"]
mode = "block"
[metrics]
listen = "127.0.0.1:{metrics}"
[log]
format = "{form}"
[notices]
ops = ["json://robot:${{ENFORCER_HOOK_PASSWORD}}@127.0.0.1:{hook}/notices"]
ops_file = "ops.list"
mail = "mailto://robot:${{ENFORCER_SMTP_PASSWORD}}@127.0.0.1:{mail}"
from = "fair-use@247.example"
deadline = 3
[[switch]]
name = "pbx1"
port = {ami}
{ami_secret}
[[switch]]
name = "fs1"
kind = "freeswitch"
port = {esl}
{esl_secret}
"""
IN_VARIABLES = ('secret_env = "ENFORCER_AMI_SECRET"', 'secret_env = "ENFORCER_ESL_SECRET"')
IN_FILES = ('secret_file = "ami.secret"', 'secret_file = "esl.secret"')
ACCOUNTS = (
    "account,customer,type,channels,plan,anchor_day,timezone\n"
    "acme,big,pbx,,,1,UTC\nsolo,small,trunk,10,,1,UTC\n"
)
CALL = """
Event: UserEvent
Timestamp: {now:.6f}
Channel: PJSIP/acme-0000000{number}
ChannelState: 4
AccountCode: acme
Context: enforcer
Exten: s
Priority: 3
Uniqueid: pbx-{now:.0f}.{number}
Linkedid: pbx-{now:.0f}.{number}
UserEvent: EnfAsk
Account: acme
Direction: outbound
Number: 12025550142
"""
COMMANDS = (
    "check", "check --json", "usage", "usage acme", "usage acme --json", "why acme", "why acme --json",
    "settle", "settle-due", "evidence --customer big --cycle {month} --out {dir}/evidence.zip",
    "interruptions --customer big", "verify", "head", "mode", "mode set tag -a acme", "mode ceiling block",
    "account list --json", "account show acme", "customer list", "customer list --json", "customer show big",
    "customer show big --json", "notice list", "notice list --json", "notice send-test",
    "notice send-test --customer big", "optout list", "strike list", "reload", "doctor", "doctor --json",
    "nonsense", "account show nobody", "cdr import {dir}/none.csv", "--help",
)


def forms(mark: str) -> set[bytes]:
    """How a secret looks where it was passed on: as it is, for URLs, for JSON, in base64 wherever it starts
    in what was encoded, in hex."""
    raw = mark.encode()
    found = {mark, quote(mark), quote(mark, safe=""), quote_plus(mark), json.dumps(mark)[1:-1], raw.hex()}
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        found |= {inner := coded[4 if before else 0 : -1], inner.replace("+", "-").replace("/", "_")}
    return {form.encode() for form in found if len(form) >= 8}


def leaks(what: dict[str, bytes], marks: tuple[str, ...] = MARKS) -> list[tuple[str, str]]:
    """(where, which secret) of each that is found."""
    return [(where, mark) for where, data in what.items() for mark in marks
            if any(form in data for form in forms(mark))]


def test_the_search_finds_what_it_is_to_find() -> None:
    for mark in MARKS:
        for leak in (
            mark, quote(mark), quote_plus(mark), base64.b64encode(f"robot:{mark}".encode()).decode(),
            base64.b64encode(f"r:{mark}".encode()).decode(), base64.urlsafe_b64encode(mark.encode()).decode(),
            mark.encode().hex(), json.dumps({"url": f"json://x:{mark}@h"}),
        ):
            assert leaks({"there": f"before {leak} after".encode()}, (mark,)) == [("there", mark)]
    assert leaks({"there": b"robot:***@127.0.0.1"}) == []


class Place:
    """A site's directory, and the servers that it names."""

    def __init__(self, directory: Path, ports: dict[str, int], in_files: bool, form: str) -> None:
        self.directory = directory
        self.config = directory / "enforcer.toml"
        self.ports = ports
        ami, esl = IN_FILES if in_files else IN_VARIABLES
        self.config.write_text(CONFIG.format(**ports, form=form, ami_secret=ami, esl_secret=esl))
        (directory / "pack.toml").write_text(PACK)
        (directory / "accounts.csv").write_text(ACCOUNTS)
        kept = {
            "ops.list": f"json://robot:{OPS_FILE}@127.0.0.1:{ports['hook']}/more\n",
            "contacts": f"json://big:{CONTACT}@127.0.0.1:{ports['hook']}/big\n",
            "ami.secret": SECRETS["ENFORCER_AMI_SECRET"], "esl.secret": SECRETS["ENFORCER_ESL_SECRET"],
        }
        self.kept = set(kept)
        for name, text in kept.items():
            (directory / name).touch(0o600)
            (directory / name).write_text(text)
        gone = ("ENFORCER_AMI_SECRET", "ENFORCER_ESL_SECRET") if in_files else ()
        self.environment = {k: v for k, v in {**os.environ, **SECRETS}.items() if k not in gone}

    def command(self, line: str) -> bytes:
        """What one command prints, on both streams, with its traceback should it have one."""
        def never(settings: Settings) -> int:
            raise AssertionError(settings)

        args = [word.format(dir=self.directory, month=f"{datetime.now(UTC):%Y-%m}") for word in line.split()]
        done = CliRunner().invoke(app, [*args, "--config", str(self.config)], obj=Outside(never, _probe))
        return f"{done.output}{done.stderr}{done.exception!r}".encode()

    def files(self) -> dict[str, bytes]:
        """Everything on disk but the secrets' own files; zips also by what is in them."""
        found = {str(p): p.read_bytes() for p in self.directory.rglob("*")
                 if p.is_file() and p.name not in self.kept}
        for path in self.directory.glob("*.zip"):
            with zipfile.ZipFile(path) as bundle:
                found |= {f"{path}/{name}": bundle.read(name) for name in bundle.namelist()}
        return found

    @asynccontextmanager
    async def running(self, code: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
        """The enforcer as a process of its own; killed at the end if it is still there."""
        start = ["-c", code] if code else ["-m", "enforcer"]
        with (self.directory / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *start, "run", "--config", str(self.config), stdout=log, stderr=log,
                env=self.environment,
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    yield
    set_up_logging()
    structlog.reset_defaults()


@pytest.mark.parametrize(("in_files", "form"), [(True, "json"), (False, "console")])
async def test_secrets_are_nowhere_in_what_is_written(
    tmp_path: Path, unused_tcp_port: int, variables: None, in_files: bool, form: str
) -> None:
    shown: dict[str, bytes] = {}
    async with ami_server() as ami, esl_server() as esl, HttpReceiver(status=500) as hook, MailReceiver(
        refuse="550 no"
    ) as mail:
        ami.secret, esl.password = SECRETS["ENFORCER_AMI_SECRET"], SECRETS["ENFORCER_ESL_SECRET"]
        ami.overrides["Ping"] = lambda action: response(action, Ping="Pong", Timestamp=f"{time.time():.6f}")
        ports = {"ami": ami.port, "esl": esl.port, "hook": hook.port, "metrics": unused_tcp_port,
                 "mail": int(mail.url.rpartition(":")[2])}
        place = Place(tmp_path, ports, in_files, form)

        async def asked(line: str, name: str = "") -> None:
            shown[name or line] = await asyncio.to_thread(place.command, line)

        await asked(f"account import {tmp_path}/accounts.csv")
        await asked(f"customer set big --contacts-from {tmp_path}/contacts")
        async with place.running() as process:
            await ami.received("DBPut", Key="hb")
            await esl.received("api show")
            for number in range(3):
                ami.say(CALL.format(number=number, now=time.time()))
            ami.say("Event: Hangup\nUniqueid: x\n")          # an event that makes no sense
            await ami.received("Setvar", 3, Variable="ENF_ANSWER")
            proc = Path(f"/proc/{process.pid}")
            shown["command line"] = (proc / "cmdline").read_bytes()
            if in_files:
                shown["environment"] = b"\0".join(
                    entry for entry in (proc / "environ").read_bytes().split(b"\0")
                    if not entry.startswith((b"ENFORCER_SMTP", b"ENFORCER_HOOK"))
                )
            url = f"http://127.0.0.1:{unused_tcp_port}/metrics"
            with await asyncio.to_thread(urllib.request.urlopen, url) as page:
                shown["metrics"] = page.read()
            assert b"enforcer_decisions_total" in shown["metrics"]
            await asyncio.wait_for(hook.posted.wait(), 30)
            for line in COMMANDS if in_files else COMMANDS[:5]:     # here only the log differs
                await asked(line)
            ami.secret, esl.password = "another", "another"      # from now on every log-in is refused
            ami.hang_up()
            esl.hang_up()
            for line in ("doctor", "doctor --json"):
                await asked(line, f"{line} refused")
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 30) == 0
        crash = ("import enforcer.app as a\nasync def serve(house, *more):\n    raise RuntimeError(house)\n"
                 "a.serve = serve\nfrom enforcer.__main__ import main\nmain()")
        async with place.running(crash) as process:
            assert await asyncio.wait_for(process.wait(), 30) == 1
    posts = len(hook.posts)
    assert posts                    # notices were tried, and their addresses so used
    log = (tmp_path / "log").read_bytes()
    assert b"RuntimeError" in log
    assert b"Authentication failed" in shown["doctor refused"]
    everything = {**shown, **place.files()}
    ledger = {name for name in everything if "/var/" in name}
    assert [found for found in leaks(everything) if not (found[0] in ledger and found[1] == CONTACT)] == []


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_in_the_log_shows_no_variables(
    form: str, variables: None, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging(form)
    secret = SECRETS["ENFORCER_AMI_SECRET"]
    try:
        raise ValueError(len(secret))
    except ValueError:
        structlog.get_logger("x").exception("it broke", peer="p")
    told = capsys.readouterr().err
    assert "ValueError" in told
    assert leaks({"log": told.encode()}) == []


def test_nothing_that_holds_a_secret_shows_it(tmp_path: Path, variables: None) -> None:
    from enforcer.settings import load
    from enforcer.switch import ami_session, esl_session

    ports = {"ami": 1, "esl": 2, "hook": 3, "mail": 4, "metrics": 5}
    place = Place(tmp_path, ports, True, "json")
    settings = load(place.config)
    peers = (
        ami_session.Peer("h", 1, "u", SECRETS["ENFORCER_AMI_SECRET"]),
        esl_session.Peer("h", 1, SECRETS["ENFORCER_ESL_SECRET"]),
    )
    for one in (settings, settings.notices, *settings.switches, *peers):
        assert leaks({"shown": f"{one!r} {one!s} {one}".encode()}) == []
    assert not re.search("secret=", repr(peers))
