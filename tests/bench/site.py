"""A site to measure: configuration, a policy of five rules, accounts, calls and their CDR file.

In: how many. Out: a directory as an operator has it, and facts. Refuses to know what is measured.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from enforcer.domain.account import Account, AccountType
from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase
from tests.support import freeswitch_cdr

NOON = 1_795_000_000.0          # 18 November 2026: the calls below are of one calendar month
FIRST = NOON - 16 * 86_400
ACCOUNTS_A_CUSTOMER = 10
NUMBERS = tuple(f"1212555{n:04d}" for n in range(1000))

_CONFIG = """\
site = "bench"
[ledger]
url = "sqlite:///{file}"
[policy]
packs = ["policy.toml"]
mode = "block"
[[switch]]
name = "pbx1"
kind = "{kind}"
secret_env = "ENFORCER_AMI_SECRET"
"""
_POLICY = """\
[pack]
name = "bench"
revision = "1"
[[rule]]
id = "ratio"
kind = "asr"
clause = "bench"
scope = "customer"
min_attempts = 1000000
critical = { at = 4, verdict = "tag" }
"""
_RULE = """\
[[rule]]
id = "{kind}"
kind = "{kind}"
clause = "bench"
critical = {{ at = 1000000, verdict = "block" }}
"""


def site(directory: Path, file: str = "enforcer.db", kind: str = "asterisk") -> Path:
    """Write the configuration of a site whose ledger is `file`; its path."""
    directory.mkdir(parents=True, exist_ok=True)
    rules = "".join(_RULE.format(kind=kind) for kind in ("attempts", "minutes", "concurrent_calls", "cps"))
    (directory / "policy.toml").write_text(_POLICY + rules)
    config = directory / "enforcer.toml"
    config.write_text(_CONFIG.format(file=file, kind=kind))
    return config


def account(n: int) -> Account:
    """The n-th account."""
    return Account(f"acct-{n:07d}", f"customer-{n // ACCOUNTS_A_CUSTOMER:06d}", AccountType.PBX)


def attempt(n: int, account_id: str, at: float) -> CallAttempt:
    """The n-th seizure."""
    number = NUMBERS[n % len(NUMBERS)]
    return CallAttempt(
        f"pbx1/lab-{int(at)}.{n}", "pbx1", account_id, Direction.OUTBOUND, number, "12025550100", at,
        f"PJSIP/{account_id}-{n & 0xFFFFFFFF:08x}",
    )


def life(one: CallAttempt, n: int) -> Iterator[CallEvent]:
    """What follows an attempt: every third call is not answered, the others talk 3 s to two minutes."""
    if n % 3:
        yield CallEvent(Phase.ANSWERED, one, one.at + 4.0, answered_at=one.at + 4.0)
        yield CallEvent(Phase.ENDED, one, one.at + 7.0 + n % 117, answered_at=one.at + 4.0, hangup_cause=16)
    else:
        yield CallEvent(Phase.ENDED, one, one.at + 9.0, hangup_cause=17)


def master_csv(path: Path, rows: int, accounts: int) -> None:
    """Write what Asterisk's cdr_csv leaves of so many calls, in the columns of our cdr.conf."""

    def stamp(at: float) -> str:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")

    with path.open("w", newline="") as file:
        write = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerow
        for n in range(rows):
            name, number, at = account(n * 7919 % accounts).id, NUMBERS[n % len(NUMBERS)], FIRST + n // 20
            answered, uniqueid = at + 4 if n % 3 else None, f"lab-{int(at)}.{n}"
            ended = at + 7 + n % 117 if answered else at + 9
            write([
                name, "12025550100", number, "from-accounts", f'"{name}" <12025550100>',
                f"PJSIP/{name}-{n:08x}", f"PJSIP/carrier-{n:08x}", "Dial", f"PJSIP/{number}@carrier,60",
                stamp(at), stamp(answered) if answered else "", stamp(ended), int(ended - at),
                int(ended - answered) if answered else 0, "ANSWERED" if answered else "BUSY",
                "DOCUMENTATION", uniqueid, "live;allow:0:0:0::d1-2f", name, uniqueid, n,
            ])


def freeswitch_csv(path: Path, rows: int, accounts: int) -> None:
    """Write what FreeSWITCH's mod_cdr_csv leaves of half as many calls with our template: two legs each."""
    with path.open("w", newline="") as file:
        for n in range(rows // 2):
            call, leg = (f"{n:08x}-0000-4000-8000-{legs:012x}" for legs in (1, 2))
            at = FIRST + n // 20 + 0.25
            answered, ended = (at + 4, at + 7 + n % 117) if n % 3 else (None, at + 9)
            exported = {"enforcer_call": call, "enforcer_direction": "outbound"}
            number = NUMBERS[n % len(NUMBERS)]
            both = [
                freeswitch_cdr.leg(
                    leg, call, start=at, answer=answered, end=ended, sip_gateway_name="carrier", **exported
                ),
                freeswitch_cdr.channel(
                    call, at, answered, ended, accountcode=account(n * 7919 % accounts).id,
                    enforcer_number=number, originated_legs=f"{leg};Outbound Call;{number}", **exported,
                ),
            ]
            file.writelines(f"{freeswitch_cdr.row(**one)}\n" for one in both)
