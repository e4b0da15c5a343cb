"""Whatever stands in a CDR file: it is read to its end, and a good row after anything is a good row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from enforcer.domain.call import CallEvent
from enforcer.errors import BadInput
from enforcer.wire import cdr_csv, cdr_csv_freeswitch
from enforcer.wire.cdr_csv_kin import Kin
from enforcer.wire.channel import Identity
from tests.support.freeswitch_cdr import TEMPLATES, B, channel, leg, row

IDENTITY = Identity("pbx1", ("default", "from-accounts"), ("public",))
BERLIN = ZoneInfo("Europe/Berlin")
ASTERISK = (
    '"acme","100","1000","from-accounts","x","PJSIP/acme-000000ea","PJSIP/c-000000eb","Dial","y",'
    '"2026-11-22 01:05:04","2026-11-22 01:05:05","2026-11-22 01:05:17",13,12,"ANSWERED","DOCUMENTATION",'
    '"1795309504.425","","acme","1795309504.425",264'
)
FREESWITCH = [row(template, **channel(zone=UTC)) for template in TEMPLATES] + [row(**leg(B))]


def of_asterisk(lines: list[str]) -> Iterator[CallEvent | BadInput]:
    return cdr_csv.read_rows(lines, IDENTITY, BERLIN)


def of_freeswitch(lines: list[str]) -> Iterator[CallEvent | BadInput]:
    kin = Kin()
    kin.learn(lines)
    kin.done()
    return cdr_csv_freeswitch.read_rows(lines, IDENTITY, BERLIN, "Master.csv", kin)


@st.composite
def files(draw: st.DrawFn, rows: list[str]) -> bytes:
    """Rows with pieces cut out and put in: quotes, commas, line ends, digits, and bytes of any kind."""
    piece = st.one_of(
        st.sampled_from([b'"', b'","', b",", b"\n", b"\r\n", b"\x00", b"\xff", b'""', b"9" * 30, b"end"]),
        st.binary(max_size=8),
    )
    text = b""
    for _ in range(draw(st.integers(1, 4))):
        one = draw(st.sampled_from(rows)).encode()
        for _ in range(draw(st.integers(0, 3))):
            place, gone = draw(st.integers(0, len(one))), draw(st.sampled_from((0, 0, 1, 3, 40)))
            one = one[:place] + draw(piece) + one[place + gone:]
        text += one + draw(st.sampled_from((b"\n", b"\r\n", b"")))
    return text


def told(
    read: Callable[[list[str]], Iterator[CallEvent | BadInput]], text: bytes, good: str
) -> list[CallEvent | BadInput]:
    lines = [line.decode("utf-8", "replace") for line in text.splitlines(keepends=True)]
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += "\n"
    rows = list(read([*lines, good]))
    assert isinstance(rows[-1], CallEvent)
    for one in rows:
        assert isinstance(one, CallEvent) or one.where.startswith("Master.csv:")
    return rows


@settings(deadline=None)
@given(files([ASTERISK]))
@example(b'"' * 9000)
def test_a_file_of_asterisk_is_read_to_its_end(text: bytes) -> None:
    assert told(of_asterisk, text, ASTERISK)[-1] == next(of_asterisk([ASTERISK]))


@settings(deadline=None)
@given(files(FREESWITCH), st.sampled_from(FREESWITCH))
@example(b'"enforcer-1","', FREESWITCH[0])
def test_a_file_of_freeswitch_is_read_to_its_end(text: bytes, good: str) -> None:
    told(of_freeswitch, text, good)
