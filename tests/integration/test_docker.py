"""What can be known about `docker/` without a Docker engine: its files fit together and hold no secret.

That the containers do their work is shown by `docker/prove`, which needs an engine and says what it saw.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from enforcer import packs, settings
from enforcer.control.accounts_csv import read_accounts
from enforcer.wire.answer import SIP_CODES
from lab.asterisk import DIALPLAN, TEMPLATES, render
from lab.freeswitch import CONFIGURATION as FREESWITCH
from lab.freeswitch_stage import LOOPBACK
from lab.provision import ROOT
from lab.sipp import SCENARIOS

DOCKER = ROOT / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILES = sorted(DOCKER.glob("*/Dockerfile"))
SCRIPTS = sorted(path for path in DOCKER.rglob("*") if path.is_file() and path.read_bytes()[:2] == b"#!")
ETC = DOCKER / "enforcer" / "etc"
ON_THE_LOOPBACK = "freeswitch-loopback"
"""The one service that is outside of the closed network: it listens on 127.0.0.1 only."""
NETWORKED = sorted(set(SERVICES) - {ON_THE_LOOPBACK})
BUILT = sorted(name for name, told in SERVICES.items() if "build" in told)
CONFIGURATION = "".join(path.read_text() for path in TEMPLATES.glob("*.conf"))
NAMES = sorted(set(re.findall(r"@([A-Z][A-Z_]*)@", CONFIGURATION)))


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=30,
        env={"PATH": os.environ["PATH"], **environment},
    )


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """(keyword, the rest) of each instruction, continued lines joined."""
    text = re.sub(r"\\\n", " ", dockerfile.read_text())
    found = [line.partition(" ") for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(keyword.upper(), rest.strip()) for keyword, _, rest in found]


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_service_can_do_no_more_than_it_must(service: str) -> None:
    told = SERVICES[service]
    assert told["read_only"] is True
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in told
    assert "privileged" not in told


@pytest.mark.parametrize("service", NETWORKED)
def test_a_service_is_in_a_network_that_leads_nowhere(service: str) -> None:
    assert SERVICES[service]["networks"] == ["lab"]
    assert "network_mode" not in SERVICES[service]
    assert COMPOSE["networks"]["lab"] == {"internal": True}


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_what_a_service_names_is_there(service: str) -> None:
    told = SERVICES[service]
    if service in BUILT:
        assert (DOCKER / told["build"]["context"]).resolve() == ROOT
        assert (ROOT / told["build"]["dockerfile"]).is_file()
    else:
        assert told["image"].startswith("${FREESWITCH_IMAGE:-"), "an image of the user's own"
    for volume in told.get("volumes", ()):
        source = volume.split(":")[0]
        assert source in COMPOSE["volumes"] or (DOCKER / source).is_dir()
    for other in told.get("depends_on", {}):
        assert other in SERVICES


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_whoever_waits_for_health_finds_a_health_check(service: str) -> None:
    for other, wanted in SERVICES[service].get("depends_on", {}).items():
        checked = "healthcheck" in SERVICES[other]
        if not checked and other in BUILT:
            checked = "HEALTHCHECK" in dict(instructions(ROOT / SERVICES[other]["build"]["dockerfile"]))
        assert checked or wanted["condition"] == "service_started"


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_an_image_runs_as_nobody_special_on_a_base_one_may_choose(dockerfile: Path) -> None:
    steps = instructions(dockerfile)
    assert [rest for keyword, rest in steps if keyword == "USER"][-1].split(":")[0].isdecimal()
    assert next(rest for keyword, rest in steps if keyword == "ARG").startswith("BASE=debian:")
    assert {rest.split()[0] for keyword, rest in steps if keyword == "FROM"} == {"${BASE}"}


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_what_an_image_copies_is_there_and_not_kept_out(dockerfile: Path) -> None:
    # In .dockerignore all is out that no line lets in again, so every source must match such a line.
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = [found for line in lines if line.startswith("!") for found in ROOT.glob(line[1:])]
    for rest in [rest for keyword, rest in instructions(dockerfile) if keyword == "COPY"]:
        if rest.startswith("--from="):
            continue
        for pattern in rest.split()[:-1]:
            sources = list(ROOT.glob(pattern))
            assert sources, pattern
            for source in sources:
                assert any(source.is_relative_to(path) for path in let_in), source


def test_no_secret_is_written_anywhere() -> None:
    for service, told in SERVICES.items():
        for name, value in told.get("environment", {}).items():
            if "SECRET" in name:
                # Compose reads what a profile needs for everybody: there the program itself asks for it.
                wanted = f"${{{name}:-}}" if told.get("profiles") else f"${{{name}:?"
                assert value.startswith(wanted), (service, name)
    example = (DOCKER / ".env.example").read_text()
    assert re.findall(r"^(\w*SECRET)=(.*)$", example, re.MULTILINE) == [
        ("ENFORCER_AMI_SECRET", ""), ("ENFORCER_MQTT_SECRET", ""), ("ENFORCER_ESL_SECRET", ""),
    ]
    for dockerfile in DOCKERFILES:
        assert "SECRET" not in dockerfile.read_text()
    assert "**/.env" in (ROOT / ".dockerignore").read_text().splitlines()
    assert ".env" in (DOCKER / ".gitignore").read_text().splitlines()


def test_the_secrets_that_programs_read_are_given_to_them() -> None:
    configured = settings.load(ETC / "enforcer.toml")
    assert {switch.secret_env for switch in configured.switches} <= set(SERVICES["enforcer"]["environment"])
    configured = settings.load(ETC / "freeswitch.toml")
    wanted = {switch.secret_env for switch in configured.switches}
    assert wanted <= set(SERVICES["enforcer-freeswitch"]["environment"])
    for service in ("asterisk", "mosquitto", "freeswitch"):
        scripts = [path.read_text() for path in SCRIPTS if path.parent.name == service]
        wanted = {name for text in scripts for name in re.findall(r"\$\{?(ENFORCER_\w+_SECRET)\b", text)}
        assert wanted
        assert wanted <= set(SERVICES[service]["environment"])


def test_the_container_gives_every_name_the_switch_configuration_wants() -> None:
    entrypoint = (DOCKER / "asterisk" / "entrypoint").read_text()
    call = re.search(r"^ETC=(?:.*\\\n)+.*render .*$", entrypoint, re.MULTILINE)
    assert call is not None
    assert sorted(re.findall(r"\b([A-Z_]+)=", call[0])) == NAMES


def test_the_container_renders_what_the_lab_renders(tmp_path: Path) -> None:
    values = {name: f"<{name.lower()} & \\1 $HOME *>" for name in NAMES}
    render(TEMPLATES, values, tmp_path / "lab")
    told = run(DOCKER / "asterisk" / "render", TEMPLATES, tmp_path / "container", **values)
    assert (told.returncode, told.stderr) == (0, "")
    for path in TEMPLATES.glob("*.conf"):
        rendered = (tmp_path / "container" / path.name).read_bytes()
        assert rendered == (tmp_path / "lab" / path.name).read_bytes()


def test_a_name_nobody_gives_stops_the_container_and_is_named(tmp_path: Path) -> None:
    told = run(DOCKER / "asterisk" / "render", TEMPLATES, tmp_path, **dict.fromkeys(NAMES[1:], "x"))
    assert told.returncode == 1
    assert f"@{NAMES[0]}@" in told.stderr


REFUSED = ["", "short", "sixteen letters x", "evil0123456789ab\nx", "$${x}0123456789abcd"]


@pytest.mark.parametrize("secret", REFUSED)
def test_a_secret_that_could_spoil_the_event_socket_is_refused(secret: str) -> None:
    told = run("sh", DOCKER / "freeswitch" / "start", ENFORCER_ESL_SECRET=secret, FREESWITCH_BIN="/bin/true")
    assert told.returncode == 2
    assert told.stderr.startswith("ENFORCER_ESL_SECRET must be 16 or more letters")
    assert len(told.stderr.splitlines()) == 1


def test_an_image_without_a_freeswitch_is_told_in_one_line() -> None:
    told = run(
        "sh", DOCKER / "freeswitch" / "start", ENFORCER_ESL_SECRET="0123456789abcdef", FREESWITCH_BIN="/none"
    )
    assert (told.returncode, told.stderr) == (
        2, "no program freeswitch in this image: name it in FREESWITCH_BIN\n",
    )


def read_by_freeswitch() -> set[str]:
    """The variables of its environment that the configuration takes."""
    text = "".join(path.read_text() for path in FREESWITCH.glob("*.xml"))
    return set(re.findall(r'cmd="env-set" data="\w+=\$(\w+)"', text))


def test_a_freeswitch_is_given_all_that_its_configuration_reads() -> None:
    start = (FREESWITCH / "start").read_text()
    found_there = set(re.findall(r"^    export (.*)$", start, re.MULTILINE)[0].split())
    closed, loopback = (set(SERVICES[name]["environment"]) for name in ("freeswitch", ON_THE_LOOPBACK))
    assert closed | found_there == read_by_freeswitch() | {"FREESWITCH_BIN"}
    assert loopback == read_by_freeswitch() | {"FREESWITCH_BIN"}


def test_freeswitch_and_its_enforcer_mean_the_same_ports_contexts_and_password() -> None:
    switch = SERVICES["freeswitch"]["environment"]
    beside = SERVICES["enforcer-freeswitch"]
    configured = settings.load(ETC / "freeswitch.toml")
    (told,) = configured.switches
    assert beside["environment"]["ENFORCER_CONFIG"] == "/etc/enforcer/freeswitch.toml"
    assert (told.host, str(told.port)) == ("freeswitch", switch["LAB_ESL_PORT"])
    assert configured.door.esl.enabled
    assert switch["LAB_DOOR"] == f"enforcer-freeswitch:{configured.door.esl.port}"
    assert told.secret_env == "ENFORCER_ESL_SECRET"
    assert switch[told.secret_env] == beside["environment"][told.secret_env]
    socket = (FREESWITCH / "event_socket.conf.xml").read_text()
    assert f'data="lab_secret=${told.secret_env}"' in socket
    assert '<param name="password" value="$${lab_secret}"/>' in socket
    assert '<param name="apply-inbound-acl" value="enforcer"/>' in socket
    assert '<list name="enforcer" default="deny">' in (FREESWITCH / "acl.conf.xml").read_text()
    dialplan = (FREESWITCH / "dialplan.xml").read_text()
    profiles = (FREESWITCH / "sofia.conf.xml").read_text()
    for context in (*told.outbound_contexts, *told.inbound_contexts):
        assert f'<context name="{context}">' in dialplan
        assert f'<param name="context" value="{context}"/>' in profiles
    assert 'data="enf_door=$LAB_DOOR"' in (FREESWITCH / "vars.xml").read_text()
    users = set(re.findall(r'<user id="(\w+)">', (FREESWITCH / "directory.xml").read_text()))
    assert users == {account.id for account in read_accounts(ETC / "accounts.csv")}
    policy = packs.load(configured.pack_paths, SIP_CODES)
    assert policy.label == packs.load(settings.load(ETC / "enforcer.toml").pack_paths, SIP_CODES).label


def test_callers_and_carrier_of_the_freeswitch_are_those_of_the_asterisk() -> None:
    switch, caller = SERVICES["freeswitch"]["environment"], SERVICES["caller-freeswitch"]
    assert caller["environment"]["SWITCH"] == f"freeswitch:{switch['LAB_SIP_PORT']}"
    assert switch["LAB_CARRIER"] == switch["LAB_PHONES"] == "carrier:5060"
    assert caller["image"] == SERVICES["caller"]["image"]
    assert caller["command"] == SERVICES["caller"]["command"]


def test_the_freeswitch_on_the_loopback_is_where_make_run_looks_for_it() -> None:
    told = SERVICES[ON_THE_LOOPBACK]
    assert told["network_mode"] == "host"
    assert "networks" not in told
    assert told["environment"]["LAB_BIND"] == "127.0.0.1"
    for name, value in LOOPBACK.items():
        assert told["environment"][name] == f"${{{name}:-{value}}}"


@pytest.mark.parametrize("secret", ["", "short", "sixteen letters x", "evil0123456789ab\nread=all"])
def test_a_secret_that_could_spoil_manager_conf_is_refused(secret: str) -> None:
    told = run(DOCKER / "asterisk" / "entrypoint", ENFORCER_AMI_SECRET=secret)
    assert told.returncode != 0
    assert "SECRET" in told.stderr
    assert not secret or secret not in told.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_script_can_be_started_and_parses(script: Path) -> None:
    assert os.access(script, os.X_OK)
    first = script.read_text().splitlines()[0]
    if first.endswith("sh"):
        told = run("bash" if "bash" in first else "sh", "-n", script)
        assert (told.returncode, told.stderr) == (0, "")
    else:
        compile(script.read_text(), script.name, "exec")


def test_the_enforcer_of_the_containers_knows_its_rules_and_accounts() -> None:
    configured = settings.load(ETC / "enforcer.toml")
    policy = packs.load(configured.pack_paths, SIP_CODES)
    accounts = {account.id for account in read_accounts(ETC / "accounts.csv")}
    assert {account for rule in policy.rules for account in rule.spec.accounts} <= accounts
    assert configured.ledger_path.is_relative_to("/var/lib/enforcer")
    (switch,) = configured.switches
    assert switch.host in SERVICES
    dialplan = (TEMPLATES / "extensions.conf").read_text()
    for context in (*switch.outbound_contexts, *switch.inbound_contexts):
        assert f"[{context}]" in dialplan


def test_the_calls_of_the_containers_are_placed_by_accounts_the_switch_has() -> None:
    endpoints = set(re.findall(r"^\[(\w+)\]\(account\)", CONFIGURATION, re.MULTILINE))
    rows = [
        line.split(";")
        for line in (DOCKER / "sipp" / "traffic.csv").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert {row[0] for row in rows} == endpoints
    assert {account.id for account in read_accounts(ETC / "accounts.csv")} == endpoints
    assert any(f"exten => {row[1]},1," in (DIALPLAN / "emergency.conf").read_text() for row in rows)


@pytest.mark.parametrize("name", ["caller", "callee"])
def test_no_two_sipps_use_the_same_branch_or_tag(name: str) -> None:
    # SIPp makes them from its process id, which is the same in every container.
    script = (DOCKER / "sipp" / "scenario").read_text()
    (sed,) = re.findall(r'^sed "(.*)" .*$', script, re.MULTILINE)
    told = run("sed", sed.replace("$2", "1f2e"), SCENARIOS / f"{name}.xml").stdout
    made = re.findall(r"(?:branch|tag)=(\[(?:branch|pid).*)", told)
    assert made
    assert all("1f2e" in one for one in made)


SIPP_LOG = """\
----------------------------------------------- 2026-11-22 22:03:41.006211
UDP message sent (512 bytes):

INVITE sip:12025550131@172.18.0.3:5060 SIP/2.0
Via: SIP/2.0/UDP 172.18.0.5:5060;branch=z9hG4bK-7-5-0
From: <sip:globex@172.18.0.5:5060>;tag=7c5
To: <sip:12025550131@172.18.0.3:5060>
CSeq: 1 INVITE

----------------------------------------------- 2026-11-22 22:03:41.008310
UDP message received [410] bytes :

SIP/2.0 100 Trying\r
From: <sip:globex@172.18.0.5>;tag=7c5\r
To: <sip:12025550131@172.18.0.3>\r
CSeq: 1 INVITE\r
\r
----------------------------------------------- 2026-11-22 22:03:41.021400
UDP message received [455] bytes :

SIP/2.0 403 Forbidden\r
From: <sip:globex@172.18.0.5>;tag=7c5\r
To: <sip:12025550131@172.18.0.3>;tag=ab\r
CSeq: 1 INVITE\r
Reason: Q.850;cause=21\r
\r
----------------------------------------------- 2026-11-22 22:03:43.021400
UDP message received [455] bytes :

SIP/2.0 200 OK\r
From: <sip:acme@172.18.0.5>;tag=7c6\r
To: <sip:112@172.18.0.3>;tag=cd\r
CSeq: 2 BYE\r
\r
"""


def test_the_caller_says_who_called_whom_and_what_came_of_it() -> None:
    told = subprocess.run(
        ["awk", "-f", DOCKER / "sipp" / "answers.awk"],
        input=SIPP_LOG, capture_output=True, text=True, timeout=30,
    )
    assert (told.stdout, told.stderr) == ("globex -> 12025550131: 403 Forbidden\n", "")
