"""A real Asterisk that writes its CDRs in batches: what ended while nobody listened is not called known
before its rows are there, whatever became of the file meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from enforcer.control.site import Site
from enforcer.domain.gap import IN_ORDER, Gap
from enforcer.ledger.port import Place
from lab.asterisk import TEMPLATES, Asterisk
from lab.enforcer import Enforcer
from lab.provision import Provisioned
from lab.sipp import Call, Callee, place
from tests.campaigns.kills import POLICY

BATCH = (TEMPLATES / "cdr.conf").read_text().replace("batch = no", "batch = yes\nsize = 1000\ntime = 3600")
SHORT, LONG = Call("acme", "12025550142", 0.3), Call("acme", "12025550143", 8.0)


async def test_gap_stays_open_until_what_an_asterisk_held_back_is_written_and_read(
    lab_parts: Mapping[str, Provisioned], tmp_path: Path
) -> None:
    async with Asterisk(lab_parts["asterisk"], files={"cdr.conf": BATCH}) as switch:
        callee = Callee(lab_parts["sipp"], switch.carrier_port)
        await callee.start()
        enforcer = Enforcer(
            tmp_path, switch, POLICY, accounts="acme,acme-co,pbx,,,,\n",
            more=f'cdr_file = "{switch.cdr_path}"\ncdr_delay = 3600\n',
        )
        try:
            async with enforcer:
                site = Site(enforcer.config)

                async def placed(*calls: Call) -> None:
                    await place(lab_parts["sipp"], switch.sip_address, list(calls), rate=10.0, within=60.0)

                await placed(SHORT)
                await switch.cli("cdr submit")
                await until(site, lambda gaps, read: read is not None and read.position > 0)
                enforcer.kill()
                await placed(SHORT, SHORT, SHORT)
                long = asyncio.create_task(placed(LONG))    # ends when somebody listens again
                await enforcer.start()
                (gap,) = await until(site, lambda gaps, read: bool(gaps))
                switch.cdr_path.rename(switch.cdr_path.with_name("Master.csv.1"))
                switch.cdr_path.touch()
                # The file was read to its end long after the gap; and nothing of it was in there.
                gaps = await until(
                    site, lambda gaps, read: read is not None and read.read_at > gap.until + IN_ORDER + 1,
                )
                assert [one.id for one in gaps] == [gap.id]
                await long
                await placed(SHORT)     # it ended later: behind its row nothing of the gap is held back
                await switch.cli("cdr submit")
                await until(site, lambda gaps, read: not gaps)
                with site.ledger() as ledger:
                    assert sum(1 for _ in ledger.calls()) == 6
                    assert all(not one.live for one in ledger.calls())
                files = sorted(switch.cdr_path.parent.iterdir())
                assert [len(file.read_text().splitlines()) for file in files] == [5, 1]
        finally:
            callee.close()


async def until(
    site: Site, so: Callable[[list[Gap], Place | None], bool], within: float = 60.0
) -> list[Gap]:
    """The open gaps, once something is so."""
    async with asyncio.timeout(within):
        while True:
            with site.ledger() as ledger:
                gaps, read = ledger.registers.gaps.open(), ledger.places().get("pbx1")
            if so(gaps, read):
                return gaps
            await asyncio.sleep(0.2)
