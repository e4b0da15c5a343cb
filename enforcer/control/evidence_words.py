"""The page in words that lies in every bundle of evidence.

In: whom and which cycle a bundle is about, and its files. Out: text. Refuses to know: what the files say.
"""

from __future__ import annotations

from collections.abc import Sequence

from enforcer.control.words import cycle_words
from enforcer.domain.cycle import Span

_FILES = {
    "README.txt": "this page",
    "accounts.json": "the accounts as they are registered, and each change until the end of the cycle",
    "calls.csv": "every call and message that began in the cycle, one row each",
    "chain.json": "the links of the chain that the entries in this bundle are, each with its seal",
    "charges.csv": "what the cycle was charged; what was taken back is an entry of its own",
    "decisions.json": "every decision on these calls: verdict, rule, clause, mode, the numbers then",
    "pruned.json": "what of this time was removed since, as the retention of the ledger says, and when",
    "interruptions.json": "when enforcement interrupted service, and when it only slowed it",
    "modes.json": "how far verdicts could go, for whom, set by whom and when; times in UTC",
    "notices.json": "the notices that bear on the cycle: their texts, and each step of their delivery",
    "opt_outs.json": "who opted out of calls and messages, and who took that back",
    "strikes.json": "violations on record, and which of them counted at the end of the cycle",
    "usage.json": "where the account stood at the end of the cycle against each rule in force as it began",
}


def read_me(about: str, customer: str, span: Span, timezone: str, files: Sequence[str]) -> str:
    """The page."""
    width = max(len(name) for name in files)
    listed = "\n".join(
        f"  {name:{width}}  {_FILES.get(name, 'a policy pack that was in force in the cycle, to the letter')}"
        for name in files
    )
    whom = about if about == f"customer {customer}" else f"{about} of customer {customer}"
    return f"""Evidence about {whom}
{cycle_words(span, timezone)}

What is in this bundle:

{listed}
  {"manifest.json":{width}}  the SHA-256 of each of these files

Times are in the time zone {timezone} and carry their offset from UTC; "epoch" means Unix seconds. Money,
ratios and minutes are decimal numbers, exact. In CSV files a cell that a spreadsheet could take for a formula
begins with an apostrophe; it is not part of the content.

How to check that nothing was changed:

  1. Each file's SHA-256 is the one in manifest.json. `enforcer evidence --check BUNDLE` compares them all; so
     does `sha256sum` with any of them. Keep the SHA-256 of the bundle itself: it was shown as it was made.
  2. Each link in chain.json holds the text that it seals. The SHA-256 of that text is its seal, and the text
     begins with the seal of the link before it: no entry can be changed, removed or put in later without
     making every later seal anew.
  3. The head in chain.json is the end of the chain as this bundle was made. Whoever runs the enforcer proves
     with `enforcer verify --head LINK:SEAL` that it still lies on the chain; its log tells the head once a
     day.
"""
