"""The systemd unit: judged by systemd's own analysis, and started as far as that needs no systemd."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.provision import ROOT as REPOSITORY
from tests.support.parts import provided

PACKAGING = REPOSITORY / "packaging" / "systemd"
UNIT = PACKAGING / "enforcer.service"
EXPOSURE = 3.0              # at the most; 10 is none of it protected
CONFIG = """
site = "lab"
[ledger]
url = "sqlite:///{state}/enforcer.db"
[policy]
packs = ["pack.toml"]
[[switch]]
name = "pbx1"
port = {port}
secret_file = "ami.secret"
"""


def settings_of(key: str) -> list[str]:
    """The values of a setting in the unit, in order."""
    return re.findall(rf"^{key}=(.*)$", UNIT.read_text(), re.MULTILINE)


@pytest.fixture(scope="session")
def analyze() -> list[str]:
    """systemd-analyze, the machine's or out of Debian's archive; skipped where neither is (fails in CI)."""
    found = shutil.which("systemd-analyze")
    if found:
        return [found]
    return provided("systemd")["systemd"].command("systemd-analyze")


def test_the_unit_leaves_little_exposed(analyze: list[str]) -> None:
    told = subprocess.run(
        [*analyze, "security", "--no-pager", "--offline=true", f"--threshold={EXPOSURE * 10:.0f}", str(UNIT)],
        capture_output=True, text=True, timeout=60,
    )
    assert told.returncode == 0, told.stdout[-2000:] + told.stderr
    overall = re.search(r"Overall exposure level for enforcer.service: ([0-9.]+)", told.stdout)
    assert overall is not None
    assert float(overall[1]) < EXPOSURE
    assert "Failed to parse" not in told.stderr
    assert "Unknown key" not in told.stderr


def test_the_user_and_its_directory_are_the_ones_that_the_unit_names() -> None:
    (user,) = settings_of("User")
    assert re.search(rf"^u {user} ", (PACKAGING / "enforcer.sysusers").read_text(), re.MULTILINE)
    (start,) = settings_of("ExecStart")
    directory = str(Path(start.split()[-1]).parent)
    assert f"d {directory} 0750 root {user} -" in (PACKAGING / "enforcer.tmpfiles").read_text()
    assert directory.lstrip("/") == "etc/" + settings_of("StateDirectory")[0]


class Service:
    """`ExecStart` of the unit, our own Python in its place, with its user's rights, limits, credentials and
    socket, as systemd would hand them over."""

    def __init__(self, directory: Path, port: int) -> None:
        self.state = directory / "state"
        self.state.mkdir(mode=int(settings_of("StateDirectoryMode")[0], 8))
        self.config = directory / "enforcer.toml"
        self.config.write_text(CONFIG.format(state=self.state, port=port))
        (directory / "pack.toml").write_text('[pack]\nname = "p"\nrevision = "1"\n')
        credentials = directory / "credentials"
        credentials.mkdir()
        (credentials / "ami.secret").write_text("of the test\n")
        (credentials / "ami.secret").chmod(0o440)
        self.log = directory / "log"
        self.ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ear.bind(str(directory / "notify"))
        self.ear.settimeout(60)
        self.environment = {
            "PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": str(credentials),
            "NOTIFY_SOCKET": str(directory / "notify"),
            # A hundredth of the unit's own, so that nobody waits: it is fed three times in each.
            "WATCHDOG_USEC": str(int(settings_of("WatchdogSec")[0]) * 10_000),
        }

    def command(self, setting: str = "ExecStart") -> list[str]:
        (line,) = settings_of(setting)
        program, *arguments = line.split()
        assert Path(program).name == "enforcer"
        arguments = [str(self.config) if one == "/etc/enforcer/enforcer.toml" else one for one in arguments]
        rights = ["--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all"]
        if os.geteuid() == 0:
            rights.append("--bounding-set=-all")
        return ["setpriv", *rights, "--", sys.executable, "-m", "enforcer", *arguments]

    def limits(self) -> None:
        os.umask(int(settings_of("UMask")[0], 8))
        resource.setrlimit(resource.RLIMIT_CORE, (int(settings_of("LimitCORE")[0]),) * 2)
        most = min(int(settings_of("LimitNOFILE")[0]), resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        os.nice(int(settings_of("Nice")[0]))


@pytest.fixture
def service(tmp_path: Path, unused_tcp_port: int) -> Iterator[Service]:
    service = Service(tmp_path, unused_tcp_port)
    yield service
    service.ear.close()


def test_the_service_starts_says_so_lives_and_stops(service: Service) -> None:
    assert settings_of("Type") == ["notify"]
    with service.log.open("wb") as log:
        process = subprocess.Popen(
            service.command(), env=service.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            preexec_fn=service.limits,
        )
    try:
        heard: list[bytes] = []

        def until(wanted: bytes, times: int = 1) -> None:
            while heard.count(wanted) < times:
                heard.append(service.ear.recv(100))

        until(b"READY=1")
        until(b"WATCHDOG=1", 3)
        told = Path(f"/proc/{process.pid}/status").read_text()
        status = {key: value.strip() for key, _, value in (line.partition(":") for line in told.splitlines())}
        assert status["NoNewPrivs"] == "1"
        assert int(status["CapBnd"], 16) == 0 or os.geteuid() != 0
        done = subprocess.run(
            service.command("ExecReload"), env=service.environment, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stdout) == (0, "in force: p@1\n"), done.stderr
        pack = service.config.parent / "pack.toml"
        sound = pack.read_text()
        pack.write_text("nonsense")
        done = subprocess.run(
            service.command("ExecReload"), env=service.environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 2
        assert "pack.toml:1" in done.stderr
        assert "p@1 stays in force" in done.stderr
        pack.write_text(sound)
        process.send_signal(signal.SIGHUP)              # by hand: systemctl kill -s HUP
        until(b"WATCHDOG=1", 5)
        process.terminate()
        until(b"STOPPING=1")
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    text = service.log.read_text()
    assert "open to others" not in text     # a credential's mode is the service manager's own business
    made = {path.name: stat.S_IMODE(path.stat().st_mode) for path in service.state.iterdir()}
    assert "enforcer.db" in made
    assert text.count('"policy reloaded"') == 2
    assert set(made.values()) == {0o600}


def test_a_service_that_cannot_start_is_never_ready(service: Service) -> None:
    (service.config.parent / "pack.toml").write_text("nonsense")
    done = subprocess.run(service.command(), env=service.environment, capture_output=True, timeout=60)
    assert done.returncode == 2
    service.ear.setblocking(False)
    with pytest.raises(BlockingIOError):
        service.ear.recv(100)


def test_a_credential_that_was_handed_over_and_cannot_be_read_is_told_in_one_line(service: Service) -> None:
    credentials = Path(service.environment["CREDENTIALS_DIRECTORY"])
    credentials.chmod(0)
    try:
        done = subprocess.run(
            service.command(), env=service.environment, capture_output=True, text=True, timeout=60
        )
    finally:
        credentials.chmod(0o700)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(f"{credentials}/ami.secret: Permission denied")
    assert "Traceback" not in done.stderr


def test_what_the_steps_install_is_here_and_is_where_the_unit_looks() -> None:
    steps = (PACKAGING / "README.md").read_text()
    installed = re.findall(r"^install .*?([\w./]+) (/[\w./]+)$", steps, re.MULTILINE)
    assert len(installed) == 6
    for source, _ in installed:
        assert (REPOSITORY / source).exists() or source == "/dev/null", source
    (start,) = settings_of("ExecStart")
    program, *_, config = start.split()
    assert f"python3 -m venv {Path(program).parents[1]}\n" in steps
    assert f"{program} -c {config}" in steps
    assert config in {target for _, target in installed}
    (credential,) = settings_of("LoadCredential")
    name, _, path = credential.partition(":")
    assert path in {target for _, target in installed}
    assert f'secret_file = "{name}"' in steps
    assert f"sqlite:////var/lib/{settings_of('StateDirectory')[0]}/" in steps
