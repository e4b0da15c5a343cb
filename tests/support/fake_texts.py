"""A small FreeSWITCH that takes text messages too, by our own chat plan's XML.

In: who writes what to whom. Out: what has left for a far end, and the MESSAGE events of it all.
Written after `do_chat_send` (switch_loadable_module.c) and mod_sms.c of 1.11: a message that no extension
made final is sent to where `to` says, and each raises an event when that is done. Refuses to know SIP.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import NamedTuple

from lab import fs_dialplan
from lab.fake_freeswitch import HOOK, FakeFreeswitch

ROUTES = r"""
  <extension name="to-carrier" continue="true"><condition field="to_user" expression="^([0-9+]{1,64})\z">
    <action application="set" inline="true" data="to=sip:$1@carrier.example"/>
  </condition></extension>"""
TO_ACCOUNTS = r"""
  <extension name="inbound" continue="true"><condition>
    <action application="set" inline="true" data="enforcer_direction=inbound"/>
  </condition></extension>
  <extension name="acme" continue="true"><condition field="to_user" expression="^12025550101\z">
    <action application="set" inline="true" data="to=acme@pbx.example"/>
    <action application="set" inline="true" data="enforcer_account=acme"/>
  </condition></extension>"""


class Sent(NamedTuple):
    """A message that has left: to whom, from whom, its text, and its headers as the switch has them."""

    to: str
    sender: str
    text: str
    headers: dict[str, str]


class TextingFreeswitch(FakeFreeswitch):
    """`switch.write("acme", "12025550142", "hello")`; `texts` is what has left."""

    def __init__(self, *, second: float = 1.0) -> None:
        super().__init__(second=second)
        hook = (HOOK / "chatplan.xml").read_text()
        self.chats = fs_dialplan.Dialplan([
            f'<context name="{name}">{site}{hook}</context>'
            for name, site in (("accounts", ROUTES), ("trunk", TO_ACCOUNTS))
        ])  # fmt: skip
        self.texts: list[Sent] = []
        self.left = asyncio.Event()

    def write(
        self, sender: str, number: str, text: str = "hello", *, trunk: bool = False, **more: str
    ) -> None:
        """A message comes in, and has been answered 202 already."""
        self._process({
            "Event-Name": "MESSAGE", **self.stamp(), "proto": "sip", "from": f"{sender}@phone.example",
            "from_user": sender, "from_host": "phone.example", "to_user": number, "to_host": "pbx.example",
            "to": f"{number}@pbx.example", "context": "trunk" if trunk else "accounts", "type": "text/plain",
            "from_full": f"<sip:{sender}@phone.example>;tag=1", "sip_profile": "internal",
            "dest_proto": "sip", **more,
        }, text)  # fmt: skip

    def to(self, user: str) -> list[Sent]:
        """What has left for a user or number."""
        return [one for one in self.texts if one.to.removeprefix("sip:").partition("@")[0] == user]

    async def text(self, user: str, count: int = 1) -> Sent:
        """The count-th message for a user or number, once it has left."""
        async with asyncio.timeout(10):
            while len(self.to(user)) < count:
                self.left.clear()
                await self.left.wait()
        return self.to(user)[count - 1]

    def _process(self, headers: dict[str, str], text: str) -> None:
        def expand(template: str) -> str:
            return fs_dialplan.expand(template, lambda name: headers.get(name, ""), self.api)

        def run(application: str, data: str) -> None:
            if application == "final":
                headers["final_delivery"] = "true"
            elif application == "reply":
                ends = {"from": headers["to"], "to": headers["from"], "replying": "true"}
                self._leave({**headers, **ends}, expand(data))
            else:
                assert application in ("set", "unset"), application
                self.set_header(headers, expand(data))

        headers["_body"] = text
        for application, data in self.chats.hunt(headers["context"], headers, expand, run) or []:
            if "final_delivery" not in headers:
                run(application, data)
        del headers["_body"]
        if "final_delivery" not in headers:
            self._leave(headers, text)
        self.socket.fire({**headers, "Nonblocking-Delivery": "true"}, text.encode())

    @staticmethod
    def set_header(headers: dict[str, str], pair: str) -> None:
        """`set` and `unset`."""
        name, _, value = pair.partition("=")
        if value:
            headers[name] = value
        else:
            headers.pop(name, None)

    def _leave(self, headers: Mapping[str, str], text: str) -> None:
        self.texts.append(Sent(headers["to"], headers["from"], text, dict(headers)))
        self.left.set()

    def sent(self, headers: Mapping[str, str], body: bytes) -> None:
        """mod_sms sends what is in an event of this subclass."""
        if headers.get("Event-Subclass") == "SMS::SEND_MESSAGE":
            self._leave(headers, body.decode())

    def _api_create_uuid(self, _arguments: str) -> str:
        return str(uuid.uuid4())

    def _api_chat(self, arguments: str) -> str:
        _proto, sender, to, text, *kind = arguments.removesuffix("&").split("|")
        ends = {"from": sender, "to": to.rpartition("/")[2]}
        self._leave({**ends, "type": "".join(kind), "net": "yes"}, text)
        return "Sent"

