"""What the command line lists and shows, over HTTP: each route is one command.

In: names and dates in a request. Out: what the command says with --json; lists come in pages.
Refuses to know: what the commands do.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi import Path as InPath
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask

from enforcer.control.http.backoffice import Page, Told
from enforcer.control.http.front import Door, Operator, viewer
from enforcer.control.http.problems import DESCRIBED

LONG = 120.0            # s, for what reads every record there is

routes = APIRouter(prefix="/v1", tags=["reading"], dependencies=[Depends(viewer)], responses=DESCRIBED)

Word = Annotated[str, InPath(min_length=1, max_length=200)]
Named = Annotated[str, Query(max_length=200)]
Cycle = Annotated[str, Query(max_length=20, description="A billing cycle, such as 2026-11.")]
Skip = Annotated[int, Query(ge=0, le=10_000_000)]
Limit = Annotated[int, Query(ge=1, le=1000)]


def named(**options: str) -> list[str]:
    """Options of a command, those that are named."""
    return [f"--{name}={value}" for name, value in options.items() if value]


def _checked(told: Told) -> dict[str, Any]:
    """What a check found, and whether all is well."""
    found = told.told if isinstance(told.told, dict) else {"findings": told.told}
    return {"ok": told.well, "warnings": told.warnings} | found


@routes.get("/modes")
async def modes(door: Door, skip: Skip = 0, limit: Limit = 100) -> Any:
    """The modes in force, as `enforcer mode` shows them."""
    return (await door.back.ask("mode", page=Page(skip, limit))).told


@routes.get("/accounts")
async def accounts(door: Door, customer: Named = "", skip: Skip = 0, limit: Limit = 100) -> Any:
    """The registered accounts."""
    return (await door.back.ask("account", "list", *named(customer=customer), page=Page(skip, limit))).told


@routes.get("/accounts/{account}")
async def account(door: Door, account: Word) -> Any:
    """One account, and what was announced of it."""
    return (await door.back.ask("account", "show", about=[account])).told


@routes.get("/accounts/{account}/usage")
async def usage(door: Door, account: Word, cycle: Cycle = "") -> Any:
    """The account's calls in a billing cycle, and where it stands against each rule."""
    return (await door.back.ask("usage", *named(cycle=cycle), about=[account])).told


@routes.get("/accounts/{account}/evidence", response_class=FileResponse)
async def evidence(
    door: Door, account: Word, cycle: Annotated[str, Query(min_length=1, max_length=20)]
) -> FileResponse:
    """All that is on record about an account in a billing cycle, as one zip file."""
    directory = tempfile.TemporaryDirectory(prefix="enforcer-")     # 0700
    try:
        path = Path(directory.name) / "evidence.zip"
        await door.back.ask("evidence", f"--cycle={cycle}", f"--out={path}", about=[account], seconds=LONG)
        name = f"evidence-{account}-{cycle}.zip".replace("/", "_")
        return FileResponse(
            path, media_type="application/zip", filename=name, background=BackgroundTask(directory.cleanup)
        )
    except BaseException:
        directory.cleanup()
        raise


@routes.get("/why/{subject:path}")
async def why(door: Door, subject: Word) -> Any:
    """Explain a call, a decision, or how an account stands."""
    return (await door.back.ask("why", about=[subject])).told


@routes.get("/calls")
async def calls(
    door: Door, account: Named = "", customer: Named = "", since: Named = "1d", until: Named = "",
    skip: Skip = 0, limit: Limit = 100,
) -> Any:
    """Calls and messages that began in a stretch of time, oldest first."""
    some = named(account=account, customer=customer, since=since, until=until)
    return (await door.back.ask("calls", *some, f"--skip={skip}", f"--limit={limit}")).told


@routes.get("/customers")
async def customers(door: Door, skip: Skip = 0, limit: Limit = 100) -> Any:
    """The customers, without anything secret."""
    return (await door.back.ask("customer", "list", page=Page(skip, limit))).told


@routes.get("/customers/{customer}")
async def customer(door: Door, customer: Word) -> Any:
    """One customer."""
    return (await door.back.ask("customer", "show", about=[customer])).told


class Entered(BaseModel):
    """What is to be known of a customer; what is left out stays. `contacts` replace those that were there."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(max_length=200)] | None = None
    contacts: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=500)]], Field(max_length=20)] | None = None


@routes.put("/customers/{customer}")
async def enter(door: Door, caller: Operator, customer: Word, entered: Entered) -> Any:
    """Enter or change a customer: how notices address them, and where they go."""
    words = [] if entered.name is None else [f"--name={entered.name}"]
    if entered.contacts is not None:
        words += [f"--contact={one}" for one in entered.contacts] or ["--no-contacts"]
    told = await door.back.ask("customer", "set", *words, about=[customer], text=True)
    return told.told | {"warnings": told.warnings}


@routes.post("/notices/send-test")
async def send_test(door: Door, caller: Operator, customer: Named = "") -> Any:
    """Send a test to ops, or to a customer's addresses. `ok` is false where one does not take it."""
    return _checked(await door.back.ask("notice", "send-test", *named(customer=customer), seconds=LONG))


@routes.get("/notices")
async def notices(
    door: Door, customer: Named = "", pending: bool = False, skip: Skip = 0, limit: Limit = 100
) -> Any:
    """Notices, oldest first."""
    words = [*named(customer=customer), *(["--pending"] if pending else [])]
    return (await door.back.ask("notice", "list", *words, page=Page(skip, limit))).told


@routes.get("/notices/{notice}")
async def notice(door: Door, notice: Word) -> Any:
    """One notice: its text, and every step from its creation on."""
    return (await door.back.ask("notice", "show", about=[notice])).told


@routes.get("/strikes")
async def strikes(
    door: Door, customer: Named = "", account: Named = "", skip: Skip = 0, limit: Limit = 100
) -> Any:
    """Strikes, and for each rule which of them count and how many are to go."""
    page = Page(skip, limit, ("strikes", "rules"))
    return (await door.back.ask("strike", "list", *named(customer=customer, account=account), page=page)).told


@routes.get("/optouts")
async def opt_outs(
    door: Door, customer: Named = "", account: Named = "", number: Named = "",
    skip: Skip = 0, limit: Limit = 100,
) -> Any:
    """The opt-outs in force."""
    some = named(customer=customer, account=account, number=number)
    return (await door.back.ask("optout", "list", *some, page=Page(skip, limit))).told


@routes.get("/interruptions")
async def interruptions(
    door: Door, cycle: Cycle, account: Named = "", customer: Named = "", gap: Named = "15m",
    skip: Skip = 0, limit: Limit = 100,
) -> Any:
    """When enforcement interrupted service."""
    some = named(cycle=cycle, account=account, customer=customer, gap=gap)
    page = Page(skip, limit, ("interruptions", "slowed"))
    return (await door.back.ask("interruptions", *some, page=page, seconds=LONG)).told


@routes.get("/settlements/{cycle}")
async def settlement(
    door: Door, cycle: Word, customer: Named = "", skip: Skip = 0, limit: Limit = 100
) -> Any:
    """What settlements charged for a billing cycle. Reading settles nothing."""
    some = named(cycle=cycle, customer=customer)
    return (await door.back.ask("charges", *some, page=Page(skip, limit))).told


@routes.post("/settlements/{cycle}")
async def settle(
    door: Door, caller: Operator, cycle: Word, customer: Named = "", skip: Skip = 0, limit: Limit = 100
) -> Any:
    """Settle a billing cycle that is over. Settling it again changes nothing."""
    told = await door.back.ask(
        "settle", f"--cycle={cycle}", *named(customer=customer), page=Page(skip, limit), seconds=LONG
    )
    return {"ok": told.well, "warnings": told.warnings} | told.told


@routes.post("/reconcile")
async def reconcile(door: Door, caller: Operator, switch: Named = "") -> Any:
    """Read what the switches wrote into their CDR files since the last time, and close gaps with it. `ok` is
    false where a file or a row could not be read."""
    return _checked(await door.back.ask("reconcile", *named(switch=switch), seconds=LONG))


@routes.get("/breaker")
async def breaker(door: Door) -> Any:
    """Whether the breaker holds the site at monitor, its band, and when it tripped before."""
    return _checked(await door.back.ask("breaker"))


@routes.get("/verify")
async def verify(door: Door, head: Named = "", skip: Skip = 0, limit: Limit = 100) -> Any:
    """Prove the chain of what is on record, and every counter. `ok` is false where something does not fit."""
    told = await door.back.ask("verify", *named(head=head), page=Page(skip, limit), seconds=LONG)
    return _checked(told)


@routes.get("/head")
async def head(door: Door) -> Any:
    """The end of the chain, to keep elsewhere."""
    return (await door.back.ask("head")).told


@routes.get("/doctor")
async def doctor(door: Door) -> Any:
    """Look at everything that enforcement needs. `ok` is false where it is broken."""
    return _checked(await door.back.ask("doctor", seconds=LONG))


@routes.get("/check")
async def check(door: Door) -> Any:
    """What the configuration and the policy packs come to."""
    return _checked(await door.back.ask("check"))
