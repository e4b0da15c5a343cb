"""CDR files in any order, cut into any imports, as often as anybody likes: the same calls.

The rows of one call are those of its legs, some at odds with each other; a ledger that has got them all
says the same, whoever came first.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from enforcer.control.cdr_import import Import
from enforcer.domain.call import CallRecord
from enforcer.ledger.memory import MemoryLedger
from enforcer.settings_switch import SwitchSettings
from tests.support.freeswitch_cdr import BEGAN, A, B, C, D, channel, leg, row
from tests.support.ledgers import Clock, classify

FREESWITCH = SwitchSettings.model_validate({"name": "fs1", "kind": "freeswitch"})
ASTERISK = SwitchSettings.model_validate({"name": "pbx1", "secret_env": "X"})
TIMES = (0.0, 0.25, 3.0, 60.0)


@st.composite
def freeswitch_rows(draw: st.DrawFn) -> list[str]:
    """The rows of a call with legs, one of them transferred, and of another call."""
    rows = [row(**channel(D, accountcode="globex"))]
    for _ in range(draw(st.integers(1, 5))):
        start = BEGAN + draw(st.sampled_from(TIMES))
        answer = draw(st.sampled_from((None, start + 1.5)))
        times = {"start": start, "answer": answer, "end": start + 2 + draw(st.sampled_from(TIMES))}
        told = {
            "context": draw(st.sampled_from(("default", "public", "elsewhere"))),
            "enforcer_direction": draw(st.sampled_from(("", "inbound", "outbound"))),
            "sip_gateway_name": draw(st.sampled_from(("", "a", "b"))),
            "sip_term_status": draw(st.sampled_from(("", "200", "486"))),
            "hangup_cause_q850": draw(st.sampled_from((16, 17))),
            "accountcode": draw(st.sampled_from(("", "acme", "apex"))),
            "destination_number": draw(st.sampled_from(("", "112", "12025550123"))),
        }
        which = draw(st.sampled_from(("root", "leg", "transferred", "on")))
        if which == "root":
            rows.append(row(**channel(A, **times, **told)))
        elif which == "leg":
            rows.append(row(**leg(B, A, **times, **told)))
        elif which == "transferred":
            rows.append(row(**leg(B, A, originated_legs=f"{C};Outbound Call;3", **times, **told)))
        else:
            rows.append(row(**leg(C, B, enforcer_call=A, **times, **told)))
    return rows


@st.composite
def asterisk_rows(draw: st.DrawFn) -> list[str]:
    """Rows of one Linkedid."""
    rows = []
    for _ in range(draw(st.integers(1, 5))):
        second, talk = draw(st.integers(1, 20)), draw(st.integers(0, 9))
        pick = {
            "account": draw(st.sampled_from(("", "acme", "apex"))),
            "to": draw(st.sampled_from(("112", "1000"))),
            "context": draw(st.sampled_from(("from-accounts", "from-trunk"))),
            "leg": draw(st.sampled_from(("", "PJSIP/a-00000001", "PJSIP/b-00000002", "Local/1@x-01;1"))),
            "id": draw(st.sampled_from(("1795309504.425", "1795309505.426"))),
            "told": draw(st.sampled_from(("ANSWERED", "BUSY", "NO ANSWER", "FAILED"))),
        }
        rows.append(
            '"{account}","100","{to}","{context}","x","PJSIP/acme-000000ea","{leg}","Dial","y",'
            '"2026-11-22 01:05:{start:02}","2026-11-22 01:05:{start:02}","2026-11-22 01:05:{end:02}",'
            '{talk},{talk},"{told}","DOCUMENTATION","{id}","","{account}","1795309504.425",1'.format(
                start=second, end=second + talk, talk=talk, **pick
            )
        )
    return rows


def calls(switch: SwitchSettings, *imports: list[list[str]]) -> list[CallRecord]:
    """What a ledger knows after these imports, each of some files."""
    ledger = MemoryLedger(classify, Clock())
    with tempfile.TemporaryDirectory() as folder:
        for files in imports:
            paths = []
            for number, rows in enumerate(files):
                paths.append(Path(folder) / f"{number}.csv")
                paths[-1].write_text("".join(f"{one}\n" for one in rows))
            done = Import(ledger, switch, lambda problem: None, lambda read: None).files(paths)
            assert done.bad == 0
            assert done.rows == done.new + done.completed + done.unchanged
    return sorted(ledger.calls())


@settings(deadline=None)
@given(st.data())
def test_rows_of_freeswitch_tell_the_same_in_any_order_files_and_number(data: st.DataObject) -> None:
    rows = data.draw(freeswitch_rows())
    shuffled = data.draw(st.permutations(rows + rows[:2]))
    cut = data.draw(st.integers(0, len(shuffled)))
    assert calls(FREESWITCH, [rows]) == calls(FREESWITCH, [shuffled[:cut], shuffled[cut:]], [rows])


@settings(deadline=None)
@given(st.data())
def test_rows_of_asterisk_tell_the_same_in_any_order_imports_and_number(data: st.DataObject) -> None:
    rows = data.draw(asterisk_rows())
    shuffled = data.draw(st.permutations(rows + rows[:2]))
    cut = data.draw(st.integers(0, len(shuffled)))
    assert calls(ASTERISK, [rows]) == calls(ASTERISK, [shuffled[:cut]], [shuffled[cut:]], [rows])
