"""What stands open to others that need not: addresses we listen at, protocols in the clear, files' modes.

In: the settings. Out: findings, none of them a failure: whoever runs a site may have meant each of them.
Refuses to know: what is behind a door.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

from enforcer.checkup import Finding, Grade
from enforcer.control.http.tokens import tokens_path
from enforcer.settings import Settings
from enforcer.settings_doors import AgiDoorSettings
from enforcer.settings_secrets import open_to_others
from enforcer.settings_switch import SwitchSettings


def exposed(settings: Settings) -> list[Finding]:
    """All findings, in the order of the configuration."""
    doors = settings.door
    found = [
        *_door("door.agi", doors.agi), *_door("door.esl", doors.esl), *_door("door.http", doors.http),
        *_door("door.messages", doors.messages),
    ]
    host = settings.metrics.listen.rpartition(":")[0]
    if host and not on_loopback(host):
        found.append(_warning("metrics", f"are served at {settings.metrics.listen} to whoever gets there",
                              "listen on the loopback, or let a firewall say who may read"))
    http = settings.http
    if http.listen and not http.loopback and not http.tls_cert:
        found.append(_warning("http", f"tokens go in the clear to {http.listen}",
                              "tls_cert and tls_key, or listen on 127.0.0.1"))
    for switch in settings.linked:
        found += _switch(switch)
    broker = settings.mqtt.broker
    if settings.mqtt.url and not broker.tls and not on_loopback(broker.host):
        found.append(_warning("mqtt", f"the broker {broker.host} is reached in the clear, password and all",
                              "mqtts:// in its url, and ca_file"))
    return [*found, *modes(settings)]


def modes(settings: Settings) -> list[Finding]:
    """Files of ours and secrets that others can read or write."""
    ledger = settings.ledger_path
    paths = [ledger, ledger.with_name(ledger.name + "-wal"), ledger.with_name(ledger.name + "-shm")]
    subjects: list[tuple[str, Path | None]] = [("ledger", path) for path in paths]
    for switch in settings.linked:
        subjects += [(f"switch {switch.name}", path) for path in (switch.secret_path, switch.door_token_path)]
    subjects += [("notices", settings.notices.ops_path), ("mqtt", settings.mqtt.secret_path)]
    subjects += [("http", tokens_path(ledger)), ("http", settings.http.key_path)]
    return [
        _warning(subject, problem, f"chmod 600 {path}")
        for subject, path in subjects if path is not None and (problem := open_to_others(path))
    ]


def on_loopback(host: str) -> bool:
    """Whether only this machine gets there."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _door(key: str, door: AgiDoorSettings) -> Iterator[Finding]:
    if not door.enabled:
        return
    networks = [ip_network(network) for network in door.allow]
    if any(network.prefixlen == 0 for network in networks):
        yield _warning(key, "lets in everybody: its allow-list holds every address there is",
                       "name the switch's own address under allow")
    elif not on_loopback(door.host) and all(network.is_loopback for network in networks):
        yield _warning(key, f"listens at {door.host}, and lets in nobody but this machine",
                       "listen on 127.0.0.1, or name the switch's address under allow")


def _switch(switch: SwitchSettings) -> Iterator[Finding]:
    if on_loopback(switch.host) or switch.tls:
        return
    words = f"is reached at {switch.host} in the clear"
    if switch.kind == "freeswitch":
        yield _warning(f"switch {switch.name}", f"{words}, password and all: an event socket speaks no TLS",
                       "run beside it, or through a tunnel")
    else:
        yield _warning(f"switch {switch.name}", f"{words}: whoever is in between can give it orders",
                       "tls = true (see dialplan/asterisk/manager.conf.example)")


def _warning(subject: str, words: str, advice: str) -> Finding:
    return Finding(subject, Grade.WARNING, words, advice)
