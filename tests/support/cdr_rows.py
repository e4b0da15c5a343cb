"""Rows of Asterisk's Master.csv, as a switch in UTC would have written them: the past of an account."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count

_serials = count(1)


def _local(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def row(account: str, at: float, billsec: int, number: str = "12025550123") -> str:
    """One call that began at `at` (Unix seconds) and was answered at once; never, where `billsec` is 0."""
    serial = next(_serials)
    fields = [
        account, account, number, "from-accounts", f'"" <{account}>', f"PJSIP/{account}-{serial:08x}",
        f"PJSIP/carrier-{serial:08x}", "Dial", f"PJSIP/{number}@carrier,60", _local(at),
        _local(at) if billsec else "", _local(at + billsec), str(billsec), str(billsec),
        "ANSWERED" if billsec else "NO ANSWER", "DOCUMENTATION", f"{int(at)}.{serial}", "",
    ]
    return ",".join('"' + field.replace('"', '""') + '"' for field in fields) + "\n"


def rows(account: str, at: float, billsecs: Iterable[int], number: str = "") -> str:
    """One call a second, from `at` on; where no number is named each to another one, no two in a row."""
    return "".join(
        row(account, at + n, billsec, number or f"1212555{n * 7 % 10_000:04}")
        for n, billsec in enumerate(billsecs)
    )
