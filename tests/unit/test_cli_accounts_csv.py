"""Accounts from CSV: all or none, and the row that is no good is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from enforcer.control.accounts_csv import account_of, read_accounts
from enforcer.domain.account import Account, AccountType
from enforcer.errors import BadInput

HEADER = "account,customer,type,channels,plan,anchor_day,timezone\n"


def csv_file(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "accounts.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_full_row_and_a_short_one(tmp_path: Path) -> None:
    path = csv_file(tmp_path, HEADER + "acme-1,acme,pbx,,flat,31,Europe/Berlin\nglobex,globex,trunk,24,,,\n")
    assert read_accounts(path) == (
        Account("acme-1", "acme", AccountType.PBX, 0, "flat", 31, "Europe/Berlin"),
        Account("globex", "globex", AccountType.TRUNK, 24, "", 1, "UTC"),
    )


def test_what_spreadsheets_write_is_read(tmp_path: Path) -> None:
    """A BOM, CRLF, quotes, columns in another order, empty lines at the end."""
    text = (
        "\ufeffcustomer,account,type,channels,plan,anchor_day,timezone\r\n"
        '"Acme, Inc.",acme,PBX,0,"a ""b""",1,UTC\r\n\r\n,,,,,,\r\n'
    )
    assert read_accounts(csv_file(tmp_path, text)) == (
        Account("acme", "Acme, Inc.", AccountType.PBX, 0, 'a "b"'),
    )


WRONG = [
    ("", 1, "is empty; it begins with the header account,customer,type,channels,plan,anchor_day,timezone"),
    ("account,customer\n", 1, "column 'type' is missing"),
    (
        HEADER.replace("anchor_day", "anchor-day"),
        1,
        "unknown column 'anchor-day'; did you mean 'anchor_day'?",
    ),
    (HEADER.replace("customer", "account"), 1, "column 'customer' is missing"),
    (HEADER + "a,b,pbx\n", 2, "3 fields, the header has 7"),
    (HEADER + "a,b,pbx,,,,\n,b,pbx,,,,\n", 3, "account: must not be empty"),
    (HEADER + "a,,pbx,,,,\n", 2, "customer: must not be empty"),
    (HEADER + "a,b,pbxx,,,,\n", 2, "type: 'pbxx' is not pbx, residential or trunk; did you mean 'pbx'?"),
    (HEADER + "a,b,trunk,,,,\n", 2, "channels: a trunk has at least 1"),
    (HEADER + "a,b,trunk,-1,,,\n", 2, "channels: '-1' is no whole number from 0 to 1000000"),
    (HEADER + "a,b,trunk,٣,,,\n", 2, "channels: '٣' is no whole number from 0 to 1000000"),
    (HEADER + "a,b,pbx,,,32,\n", 2, "anchor_day: '32' is no whole number from 1 to 31"),
    (HEADER + "a,b,pbx,,,,Mars/Base\n", 2, "timezone: no such zone: 'Mars/Base'"),
    (HEADER + "a,b,pbx,,,,\nc,d,pbx,,,,\na,b,pbx,,,,\n", 4, "account 'a' is in line 2 already"),
    (HEADER + '"a\nb",b,pbx,,,,\n', 2, "account: holds characters that cannot be printed"),
    (HEADER + '"a",b,pbx,,"x\ny",,\nc,d,pbxx,,,,\n', 2, "plan: holds characters that cannot be printed"),
    (HEADER + "a" * 81 + ",b,pbx,,,,\n", 2, "account: has 81 characters, 80 at most"),
    (HEADER + 'a,b,"pbx,,,,\n', 2, "not CSV: "),
    (HEADER.encode() + b"a,b,pbx,,,,\nc,\xff,pbx,,,,\n", 3, "is not UTF-8 text"),
]


@pytest.mark.parametrize(("text", "line", "problem"), WRONG)
def test_a_row_that_cannot_be_used_is_one_line(
    tmp_path: Path, text: str | bytes, line: int, problem: str
) -> None:
    path = csv_file(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        read_accounts(path)
    assert str(caught.value).startswith(f"{path}:{line}: {problem}")
    assert "\n" not in str(caught.value)


def test_lines_are_counted_in_the_file_and_not_in_rows(tmp_path: Path) -> None:
    path = csv_file(tmp_path, HEADER + '\n"acme",acme,pbx,,"",,\n\nx,y,nothing,,,,\n')
    with pytest.raises(BadInput, match=r"accounts.csv:5: type"):
        read_accounts(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere.csv: cannot be read: No such file"):
        read_accounts(tmp_path / "nowhere.csv")


def test_any_printable_name_is_a_name() -> None:
    account = account_of({"account": "[b]=1+1", "customer": "Jürgen & Söhne", "type": "pbx"})
    assert (account.id, account.customer) == ("[b]=1+1", "Jürgen & Söhne")
