"""A real Mosquitto on free loopback ports, with the access list that the README recommends."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import aiomqtt

from lab.own_program import OwnProgram
from lab.process import free_port
from lab.provision import Provisioned

PASSWORDS = {"enforcer": "s3cret-of-the-broker", "ann": "anns-own", "watcher": "watchers-own"}
# Who may write where: `by/<user>/` only that very user, whom the broker has asked for a password.
ACCESS = """
user enforcer
topic readwrite #
user watcher
topic read #
user ann
topic read #
topic write enforcer/lab/#
pattern write enforcer/+/by/%u/#
"""


class Broker(OwnProgram):
    """See `OwnProgram`; what is retained is kept over an orderly stop. `tls` is the directory of its
    certificate, where it has one."""

    name = "Mosquitto"

    def __init__(self, parts: Mapping[str, Provisioned], tls: Path | None = None) -> None:
        super().__init__()
        self._parts = parts["mosquitto"]
        directory = self.directory
        self.port = free_port(socket.SOCK_STREAM)
        self.tls_port = free_port(socket.SOCK_STREAM)
        passwords = directory / "passwords"
        passwords.touch(mode=0o600)
        for user, password in PASSWORDS.items():
            command = [*self._parts.command("mosquitto_passwd"), "-b", str(passwords), user, password]
            subprocess.run(command, check=True, capture_output=True)
        (directory / "access").write_text(ACCESS)
        (directory / "access").chmod(0o600)
        lines = [
            "per_listener_settings false", "allow_anonymous false", f"password_file {passwords}",
            f"acl_file {directory / 'access'}", "persistence true", f"persistence_location {directory}/",
            f"listener {self.port} 127.0.0.1",
        ]
        if tls is not None:
            lines += [f"listener {self.tls_port} 127.0.0.1", f"certfile {tls / 'server.pem'}",
                      f"keyfile {tls / 'server.key'}"]
        (directory / "mosquitto.conf").write_text("\n".join([*lines, "user root", ""]))

    def command(self) -> list[str]:
        """See `OwnProgram`."""
        return [*self._parts.command("mosquitto"), "-c", str(self.directory / "mosquitto.conf")]

    async def ready(self) -> bool:
        """Whether it lets people in."""
        try:
            async with self.client("watcher"):
                return True
        except aiomqtt.MqttError:       # not listening yet
            return False

    def client(self, user: str = "ann") -> aiomqtt.Client:
        """A client of its own for a test."""
        return aiomqtt.Client(
            "127.0.0.1", self.port, username=user, password=PASSWORDS[user],
            protocol=aiomqtt.ProtocolVersion.V5, timeout=5,
        )
