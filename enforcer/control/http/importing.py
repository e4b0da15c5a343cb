"""Files that people bring: accounts, opt-outs and call records, as the body of a request.

In: a CSV file, as it comes over the wire. Out: what `enforcer ... import` says of it. Refuses to know: files
of this machine: nothing that a request says is a path, and what is read is what came with it.

A file is kept in a directory of its own while it comes and while it is read, and then no more. One is taken
at a time, by a clerk of its own, so that neither calls nor who looks something up waits for it.
"""

from __future__ import annotations

import asyncio
import io
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.requests import ClientDisconnect

from enforcer.control.http.backoffice import Told
from enforcer.control.http.front import Door, Front, Operator
from enforcer.control.http.ordering import DOOR
from enforcer.control.http.problems import DESCRIBED, Problem
from enforcer.control.http.tokens import Caller

MEGABYTE = 1_000_000
AT_ONCE = 256 * 1024        # bytes that wait in memory to be written
ARRIVAL = 600.0             # s for a file to come, and as long again to be read

routes = APIRouter(prefix="/v1", tags=["imports"], responses=DESCRIBED | {
    408: {**DESCRIBED[400], "description": "The file did not arrive in time."},
    415: {**DESCRIBED[400], "description": "Say that it is CSV: Content-Type: text/csv."},
})

_FILE: dict[str, Any] = {"requestBody": {
    "required": True, "content": {"text/csv": {"schema": {"type": "string"}}},
    "description": "The file itself. [http] max_import says how long it may be.",
}}


@routes.post("/accounts/import", openapi_extra=_FILE)
async def accounts(door: Door, caller: Operator, request: Request) -> dict[str, Any]:
    """Register the accounts of a CSV file, all or none, as `enforcer account import` does."""
    told = await _imported(door, caller, request, "accounts.csv", "account", text=True)
    return {"said": told.told["said"], "warnings": told.warnings}


@routes.post("/optouts/import", openapi_extra=_FILE)
async def opt_outs(door: Door, caller: Operator, request: Request) -> dict[str, Any]:
    """Enter the opt-outs of a CSV file, all or none, as `enforcer optout import` does."""
    told = await _imported(
        door, caller, request, "optouts.csv", "optout", f"--by={caller.name}", text=True
    )
    return {"said": told.told["said"], "warnings": told.warnings}


@routes.post("/cdr/import", openapi_extra=_FILE)
async def call_records(
    door: Door, caller: Operator, request: Request,
    switch: Annotated[str, Query(min_length=1, max_length=200, description="The switch that wrote it.")],
) -> dict[str, Any]:
    """Import a CDR file of a switch, as `enforcer cdr import` does; again, and nothing changes. `ok` is false
    where rows were no good: they are named under `warnings`, and skipped."""
    told = await _imported(door, caller, request, "cdr.csv", "cdr", f"--switch={switch}")
    facts: dict[str, Any] = told.told
    return {"ok": told.well, "warnings": told.warnings} | facts


async def _imported(
    door: Front, caller: Caller, request: Request, name: str, what: str, *words: str, text: bool = False
) -> Told:
    """The file, received and imported. In what is said of it, it has this name. Raises Problem."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/csv":
        raise Problem(415, "say that the file is CSV: Content-Type: text/csv")
    if door.importing.locked():
        raise Problem(503, "another file is being imported: send this one again in a moment", retry=5)
    async with door.importing:
        with tempfile.TemporaryDirectory(prefix="enforcer-") as directory:      # 0700
            path = Path(directory) / name
            await _received(door, request, path)
            try:
                told = await door.imports.ask(
                    what, "import", *words, about=[str(path)], seconds=ARRIVAL, text=text
                )
            except Problem as problem:
                raise Problem(problem.status, problem.said.replace(str(path), name)) from None
            finally:
                await door.imports.dismiss()        # what a large file took of memory is free again
    warnings = [line.replace(str(path), name) for line in told.warnings]
    facts = told.told
    said = facts["said"] if text else f"{facts['rows']} rows imported: {facts['new']} new calls"
    door.desk.heard(f"{what}.import", caller.name, DOOR, said)
    return told._replace(warnings=warnings)


async def _received(door: Front, request: Request, path: Path) -> None:
    """The body, as a file. Raises Problem."""
    most = door.settings.http.max_import * MEGABYTE
    too_long = Problem(413, f"the file has more than {door.settings.http.max_import} MB: "
                            "send it in parts, or raise [http] max_import")
    too_long.headers["Connection"] = "close"        # the rest of it is not waited for
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise too_long
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb", buffering=0) as file:
            async with asyncio.timeout(ARRIVAL):
                size = 0
                async for part in _parts(request, door.settings.http.read_deadline):
                    size += len(part)
                    if size > most:
                        raise too_long
                    await asyncio.to_thread(_write, file, part)
    except TimeoutError:
        late = Problem(408, "the file did not arrive in time")
        late.headers["Connection"] = "close"
        raise late from None
    except ClientDisconnect:
        raise Problem(400, "the file broke off") from None
    except OSError as problem:
        raise Problem(503, f"the file cannot be kept here: {problem.strerror or problem}") from None


async def _parts(request: Request, deadline: float) -> AsyncIterator[bytes]:
    """The body as it comes, in parts worth a write. Raises TimeoutError where it dawdles."""
    stream, waiting = aiter(request.stream()), bytearray()
    while True:
        async with asyncio.timeout(deadline):
            chunk = await anext(stream, None)
        waiting += chunk or b""
        if waiting and (chunk is None or len(waiting) >= AT_ONCE):
            yield bytes(waiting)
            waiting.clear()
        if chunk is None:
            return


def _write(file: io.FileIO, data: bytes) -> None:
    while data:
        data = data[file.write(data) or 0:]
