"""However decisions come, are held and are pruned: the chain is sound, and whatever else goes is missed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from enforcer.domain.chain import Cut, Head
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.retention import Terms
from enforcer.ledger.prunable import Needed
from tests.support.ledgers import DAY
from tests.support.pruning import Shop, decision

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("decide"), st.sampled_from(["acme", "solo"])),
        st.tuples(st.just("enter"), st.just("")),
        st.tuples(st.just("tell"), st.just("")),
        st.tuples(st.just("live"), st.sampled_from(["1", "3"])),
        st.tuples(st.just("prune"), st.sampled_from(["", "acme", "solo"])),
    ),
    min_size=1, max_size=40,
)


@settings(max_examples=25, deadline=None)
@given(STEPS, st.data())
def test_pruned_chains_are_sound_and_miss_what_else_goes(
    steps: list[tuple[str, str]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        told: list[Head] = []
        for nth, (what, how) in enumerate([*steps, ("live", "1"), ("prune", "")]):
            if what == "decide":
                shop.ledger.keep(decision(f"abc123-{nth:x}", shop.clock.now, how))
            elif what == "enter":
                shop.ledger.put([JournalEntry(Kind.STRIKE, shop.clock.now, f"s{nth}", "big", "", {
                    "kind": "content", "at": shop.clock.now,
                })])
            elif what == "tell":
                shop.ledger.flush()
                told.append(shop.ledger.tell())
            elif what == "live":
                shop.live(int(how))
            else:
                shop.prune(Terms(2 * DAY, 0), Needed(accounts=frozenset({how} - {""})))
        for head in [None, *told]:
            assert shop.ledger.prove(head).broken == ""
        links = [one for one in shop.ledger.chain() if not isinstance(one, Cut)]
        if links:
            gone = data.draw(st.sampled_from(links))
            table = "decision" if gone.kind == "decision" else "journal"
            shop.edit(f"DELETE FROM {table} WHERE link = {gone.number}")
            assert shop.ledger.prove().broken != ""
        shop.close()
