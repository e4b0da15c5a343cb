"""The manager of a real Asterisk, locked: TLS with certificates good and bad, users with one class too few or
one too many."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from enforcer.checkup import Finding, Grade
from enforcer.errors import BadInput
from enforcer.settings import load
from enforcer.settings_switch import SwitchSettings
from enforcer.switch.probe import look_at
from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.process import free_port, run_apart
from lab.provision import Provisioned
from tests.support.certificates import Certificate, certificate

TLS = """
[general](+)
tlsenable = yes
tlsbindaddr = 127.0.0.1:{port}
tlscertfile = {directory}/manager.crt
tlsprivatekey = {directory}/manager.key
"""
USER = """
[{name}]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.255
read = {read}
write = {write}
"""
READ, WRITE = ["system", "call", "user"], ["system", "call", "reporting"]
AUTHORITY = certificate()
GOOD = certificate("127.0.0.1", "pbx.example", by=AUTHORITY)


class Locked(Asterisk):
    """An Asterisk whose manager has a second, locked door, and users of every kind."""

    def __init__(self, parts: Provisioned) -> None:
        super().__init__(parts)
        self.tls_port = free_port(socket.SOCK_STREAM)
        self.shows(GOOD, reload=False)
        users = [("all", ["all"], ["all"])]
        users += [(f"no-read-{one}", [c for c in READ if c != one], WRITE) for one in READ]
        users += [(f"no-write-{one}", READ, [c for c in WRITE if c != one]) for one in WRITE]
        users += [("more-read", [*READ, "dialplan"], WRITE), ("more-write", READ, [*WRITE, "originate"])]
        with (self.directory / "etc" / "manager_local.conf").open("a") as file:
            file.write(TLS.format(port=self.tls_port, directory=self.directory))
            for name, read, write in users:
                told = USER.format(name=name, secret=self.secret, read=",".join(read), write=",".join(write))
                file.write(told)
            file.write(f"\n[anywhere]\nsecret = {self.secret}\nread = {','.join(READ)}\n"
                       f"write = {','.join(WRITE)}\n")

    def shows(self, what: Certificate, *, reload: bool = True) -> None:
        """Another certificate from now on."""
        (self.directory / "manager.crt").write_text(what.public)
        (self.directory / "manager.key").write_text(what.private)
        if reload:
            with (self.directory / "etc" / "manager_local.conf").open("a") as file:
                file.write("; another certificate\n")      # else there is nothing to reload
            run_apart(self.cli("manager reload"))


@pytest.fixture(scope="module")
def locked(lab_parts: Mapping[str, Provisioned]) -> Iterator[Locked]:
    switch = Locked(lab_parts["asterisk"])
    try:
        run_apart(switch.start())
        yield switch
    finally:
        switch.close()


@pytest.fixture
def settings(locked: Locked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("ENFORCER_TEST_SECRET", locked.secret)
    return Settings(tmp_path)


class Settings:
    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def of(self, port: int, more: str = "") -> SwitchSettings:
        path = self.directory / "enforcer.toml"
        path.write_text(
            f'site = "lab"\n[[switch]]\nname = "pbx1"\nport = {port}\n'
            f'secret_env = "ENFORCER_TEST_SECRET"\n{more}'
        )
        return load(path).switch("pbx1")

    def tls(self, port: int, ca: Certificate | None = AUTHORITY, name: str = "") -> SwitchSettings:
        more = "tls = true\n"
        if ca is not None:
            (self.directory / "ca.pem").write_text(ca.public)
            more += 'tls_ca = "ca.pem"\n'
        return self.of(port, more + (f'tls_name = "{name}"\n' if name else ""))


def failure(found: list[Finding]) -> str:
    """The words of the one finding of a switch that could not be logged in to."""
    (only,) = found
    assert only.grade is Grade.FAILED
    return only.words


def looked(switch: SwitchSettings) -> list[Finding]:
    return list(look_at(switch, ("911",)))


def test_a_manager_that_proves_who_it_is_is_fine(locked: Locked, settings: Settings) -> None:
    found = looked(settings.tls(locked.tls_port))
    assert [f.words for f in found if f.grade is Grade.FAILED] == []
    assert found[0].words == f"logged in as enforcer@127.0.0.1:{locked.tls_port}"


async def test_the_enforcer_works_over_tls(locked: Locked, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(AUTHORITY.public)
    switch = cast(Asterisk, SimpleNamespace(ami_port=locked.tls_port, secret=locked.secret))
    pack = '[pack]\nname = "p"\nrevision = "1"\n'
    async with Enforcer(tmp_path, switch, pack, more='tls = true\ntls_ca = "ca.pem"'):
        assert (await locked.cli("database get enforcer hb")).startswith("Value: ")
        connected = await locked.cli("manager show connected")
        assert "enforcer" in connected
    assert "not found" in await locked.cli("database get enforcer hb")


def test_another_authority_is_not_believed(locked: Locked, settings: Settings) -> None:
    assert "its authority is not the one that vouches here" in failure(
        looked(settings.tls(locked.tls_port, certificate()))
    )


def test_without_a_file_the_systems_authorities_decide(locked: Locked, settings: Settings) -> None:
    assert "its certificate is not believed" in failure(looked(settings.tls(locked.tls_port, None)))


def test_a_port_that_speaks_no_tls_is_said_to(locked: Locked, settings: Settings) -> None:
    assert failure(looked(settings.tls(locked.ami_port))) == (
        f"enforcer@127.0.0.1:{locked.ami_port}: what listens there speaks no TLS "
        "(is this the port of tlsbindaddr?)"
    )


def test_a_certificate_that_has_expired_is_said_to(locked: Locked, settings: Settings) -> None:
    locked.shows(certificate("127.0.0.1", by=AUTHORITY, expired=True))
    try:
        assert failure(looked(settings.tls(locked.tls_port))).endswith(": it has expired")
    finally:
        locked.shows(GOOD)


def test_a_certificate_for_another_name_is_refused_and_the_name_can_be_said(
    locked: Locked, settings: Settings
) -> None:
    locked.shows(certificate("pbx.example", by=AUTHORITY))
    try:
        told = failure(looked(settings.tls(locked.tls_port)))
        assert "IP address mismatch" in told
        assert "'127.0.0.1'" in told
        assert looked(settings.tls(locked.tls_port, name="pbx.example"))[0].grade is Grade.OK
        assert "Hostname mismatch" in failure(looked(settings.tls(locked.tls_port, name="pbx.other")))
    finally:
        locked.shows(GOOD)


def test_a_certificate_that_signed_itself_is_believed_only_where_it_is_named(
    locked: Locked, settings: Settings
) -> None:
    own = certificate("127.0.0.1")
    locked.shows(own)
    try:
        assert "signed by itself" in failure(looked(settings.tls(locked.tls_port)))
        assert looked(settings.tls(locked.tls_port, own))[0].grade is Grade.OK
    finally:
        locked.shows(GOOD)


@pytest.mark.parametrize(("text", "words"), [(None, "No such file"), ("nothing", "holds no certificate")])
def test_a_file_of_authorities_that_holds_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, words: str
) -> None:
    monkeypatch.setenv("ENFORCER_TEST_SECRET", "x")
    switch = Settings(tmp_path).tls(5039)
    (tmp_path / "ca.pem").unlink()
    if text is not None:
        (tmp_path / "ca.pem").write_text(text)
    with pytest.raises(BadInput, match=rf"switch pbx1: tls_ca .*ca.pem: {words}"):
        list(look_at(switch, ()))


# --- the user's classes


@pytest.mark.parametrize("lacking", READ)
def test_a_class_less_to_read_fails_and_is_named(locked: Locked, settings: Settings, lacking: str) -> None:
    found = looked(settings.of(locked.ami_port, f'username = "no-read-{lacking}"\n'))
    failed = [f.words for f in found if f.grade is Grade.FAILED]
    assert [words for words in failed if f"lacks the class {lacking} in its read: " in words]


@pytest.mark.parametrize("lacking", WRITE)
def test_a_class_less_to_write_fails_and_is_named(locked: Locked, settings: Settings, lacking: str) -> None:
    found = looked(settings.of(locked.ami_port, f'username = "no-write-{lacking}"\n'))
    (failed,) = [f.words for f in found if f.grade is Grade.FAILED]
    assert f"lacks the class {lacking} in its write: " in failed


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("more-read", ["more-read has more than it needs in its read: dialplan"]),
        ("more-write", ["more-write has more than it needs in its write: originate"]),
        ("all", [f"all has more than it needs in its {key}: all" for key in ("read", "write")]),
        ("anywhere", ["anywhere may log in from any address"]),
    ],
)
def test_a_user_who_may_do_more_is_pointed_out(
    locked: Locked, settings: Settings, user: str, words: list[str]
) -> None:
    found = looked(settings.of(locked.ami_port, f'username = "{user}"\n'))
    told = [f.words for f in found if f.grade is Grade.WARNING and f.words.startswith("user ")]
    assert told == [f"user {one}" for one in words]
    assert locked.secret not in str(found)


def test_the_user_as_documented_has_what_it_needs_and_no_more(locked: Locked, settings: Settings) -> None:
    documented = (Path("dialplan/asterisk/manager.conf.example")).read_text().partition("[enforcer]")[2]
    said = {line.split("=")[0].strip(): line.split("=")[1].split(";")[0].strip()
            for line in documented.splitlines() if line.startswith(("read", "write "))}
    assert said == {"read": ",".join(READ), "write": ",".join(WRITE)}
    found = looked(settings.of(locked.ami_port))
    assert "user enforcer has the classes it needs, and no other" in [f.words for f in found]


async def test_who_is_in_between_and_closes_at_once_is_one_line(settings: Settings) -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    told = failure(await asyncio.to_thread(looked, settings.tls(port)))
    assert "\n" not in told
    assert told.startswith(f"enforcer@127.0.0.1:{port}: ")
    server.close()
    await server.wait_closed()
