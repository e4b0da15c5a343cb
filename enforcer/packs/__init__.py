"""Policy packs: one AUP as one TOML file, and the rules that its clauses come to.

In: pack files, and the SIP codes that the switches can send. Out: a `Policy`, or BadInput that
names file, line and key. Refuses to know: which switch, whose calls, and how a rule of each kind judges.

    tables      what may be said        kinds       to which kind it means something
    checks      what goes together      build       a table becomes a rule
    json_schema what editors are told
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from enforcer.domain.policy import Pack, Policy
from enforcer.domain.rules import Rule
from enforcer.errors import BadInput
from enforcer.packs.build import built
from enforcer.packs.checks import Page, check
from enforcer.packs.json_schema import schema
from enforcer.packs.tables import PackFile
from enforcer.toml_lines import Document, parse, read
from enforcer.toml_models import validated

__all__ = ["load", "loads", "schema"]


def load(paths: Iterable[Path], sip_codes: Collection[int]) -> Policy:
    """The policy that these packs make together, in their order.

    `sip_codes` are those that every switch can answer a refused call with. Raises BadInput.
    """
    return _policy((read(path) for path in paths), sip_codes)


def loads(texts: Iterable[tuple[str, str]], sip_codes: Collection[int]) -> Policy:
    """The same of packs that are at hand as (name, text). Raises BadInput."""
    return _policy((parse(Path(name), text) for name, text in texts), sip_codes)


def _policy(documents: Iterable[Document], sip_codes: Collection[int]) -> Policy:
    packs: dict[str, tuple[Pack, str]] = {}
    rules: dict[str, tuple[Rule, str]] = {}
    for document in documents:
        told = validated(document, PackFile)
        head = told.pack
        effective = head.effective.isoformat() if head.effective else ""
        pack = Pack(
            head.name, head.revision, head.currency, effective, head.source, head.contact, document.text
        )
        place = document.where(("pack", "name"))
        if pack.name in packs:
            raise BadInput(place, f"a pack of the name {pack.name!r} is at {packs[pack.name][1]} already")
        packs[pack.name] = pack, place
        for index, table in enumerate(told.rules):
            place = document.where(("rule", index, "id"))
            if table.id in rules:
                raise BadInput(place, f"a rule of the id {table.id!r} is at {rules[table.id][1]} already")
            page = Page(document, index)
            check(page, table, sip_codes)
            signals = [(Page(document, index, nth), signal) for nth, signal in enumerate(table.signals)]
            rules[table.id] = built(page, table, signals, pack), place
    return Policy((rule for rule, _ in rules.values()), (pack for pack, _ in packs.values()))
