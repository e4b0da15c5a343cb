"""What people bring as files: call records, tables, configurations, packs, templates, bundles."""

from __future__ import annotations

import json
import os
import re
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from enforcer import packs
from enforcer.control.accounts_csv import read_accounts
from enforcer.control.bundle import packed, problems
from enforcer.control.csv_rows import read_rows
from enforcer.control.opt_outs import FIELDS as OPT_OUT_FIELDS
from enforcer.control.opt_outs import telephone
from enforcer.control.subjects import instant
from enforcer.domain.call import CallEvent
from enforcer.domain.numbers import NumberPlan
from enforcer.errors import BadInput
from enforcer.notices.templates import FIELDS, Templates
from enforcer.settings import Settings
from enforcer.toml_lines import read
from enforcer.toml_models import validated
from enforcer.wire import cdr_csv, cdr_csv_freeswitch
from enforcer.wire.answer import SIP_CODES
from enforcer.wire.cdr_csv_kin import Kin
from tests.fuzz.asterisk import IDENTITY, sound
from tests.fuzz.target import Target
from tests.support.freeswitch_cdr import TEMPLATES, B, channel, leg, row

ROOT = Path(__file__).parents[2]
BERLIN = ZoneInfo("Europe/Berlin")
ASTERISK_ROW = (
    '"acme","100","1000","from-accounts","""x"" <100>","PJSIP/acme-000000ea","PJSIP/c-000000eb","Dial","y",'
    '"2026-11-22 01:05:04","2026-11-22 01:05:05","2026-11-22 01:05:17",13,12,"ANSWERED","DOCUMENTATION",'
    '"1795309504.425","default;allow:0:0:0::d1-2f","acme","1795309504.425",264\n'
)


@cache
def _place(name: str) -> Path:
    """A file of this process's own, in memory where the machine has such a place."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory if os.access(memory, os.W_OK) else None))
    return folder / name


def _file(data: bytes, name: str) -> Path:
    place = _place(name)
    place.write_bytes(data)
    return place


def one_line(problem: BadInput) -> None:
    """What a person is told is one line that has text."""
    assert str(problem)
    assert len(str(problem)) < 20_000


def _lines(data: bytes) -> list[str]:
    return [line.decode("utf-8", "replace") for line in data.split(b"\n")]


def _cdr(data: bytes) -> None:
    for told in cdr_csv.read_rows(_lines(data), IDENTITY, BERLIN):
        if isinstance(told, CallEvent):
            sound(told.attempt)
            assert told.billsec >= 0
        else:
            one_line(told)


def _cdr_freeswitch(data: bytes) -> None:
    kin, lines = Kin(), _lines(data)
    kin.learn(lines)
    kin.done()
    for told in cdr_csv_freeswitch.read_rows(lines, IDENTITY, BERLIN, "Master.csv", kin):
        if isinstance(told, CallEvent):
            sound(told.attempt)
            assert told.billsec >= 0
        else:
            one_line(told)


def _accounts(data: bytes) -> None:
    try:
        accounts = read_accounts(_file(data, "accounts.csv"))
    except BadInput as problem:
        one_line(problem)
        return
    assert len({one.id for one in accounts}) == len(accounts)
    assert all(one.id.isprintable() and one.customer.isprintable() for one in accounts)


PLAN = NumberPlan("US")


def _opt_outs(data: bytes) -> None:
    path = _file(data, "optouts.csv")
    try:
        for line, fields in read_rows(path, OPT_OUT_FIELDS):
            found = telephone(PLAN, fields["number"].strip(), f"{path}:{line}")
            assert found.startswith("+")
            if fields["date"]:
                instant(fields["date"], "America/New_York", f"{path}:{line}", 2e9)
    except BadInput as problem:
        one_line(problem)


def _settings(data: bytes) -> None:
    try:
        settings = validated(read(_file(data, "enforcer.toml")), Settings)
        settings.numbers.plan()
    except BadInput as problem:
        one_line(problem)


def _pack(data: bytes) -> None:
    try:
        packs.load([_file(data, "pack.toml")], SIP_CODES)
    except BadInput as problem:
        one_line(problem)


def _template(data: bytes) -> None:
    path = _file(data, "customer-warning.txt")
    try:
        templates = Templates(path.parent)
    except BadInput as problem:
        one_line(problem)
        return
    subject, text = templates.fill("customer-warning", dict.fromkeys(FIELDS, "$x\r\nBcc: y"))
    assert len(subject) <= 150
    assert subject.splitlines() in ([], [subject])
    assert text.endswith("\n")


def _bundle(data: bytes) -> None:
    """The zip as it is."""
    try:
        found, looked_at = problems(_file(data, "bundle.zip"))
    except BadInput as problem:
        one_line(problem)
        return
    assert looked_at >= 1
    assert all(found)


def _bundled(data: bytes) -> None:
    """The files in a zip whose manifest is right: what somebody who knows how would hand in."""
    files: dict[str, bytes] = {}
    for part in data.split(b"\n==="):
        name, _, content = part.partition(b"\n")
        files[name.decode("latin-1").strip("= ")[:40] or "x"] = content
    files.pop("manifest.json", None)
    _bundle(packed(files))


def _bundle_files() -> dict[str, bytes]:
    notice = {"notice": "n1", "text": "t", "facts": {"subject": "s"},
              "steps": [{"link": 2, "stage": "created"}]}
    bodies: list[list[object]] = [
        ["", "account", 1.0, "acme", "big", "acme", '{"type":"pbx"}'],
        ["", "notice", 2.0, "n1", "big", "acme", '{"stage":"created","facts":{"subject":"s"}}'],
        ["", "strike", 3.0, "s1", "big", "acme", '{"kind":"x"}'],
        ["", "charge", 4.0, "c1", "big", "acme", '{"account":"acme","rule":"asr","cycle":"2026-10",'
         '"policy":"p","number":"1","amount":"5.00","currency":"USD"}'],
        ["", "decision", 5.0, "d1", "pbx1/1", "acme", "{}"],
    ]  # fmt: skip
    import hashlib

    links, last = [], ""
    for number, body in enumerate(bodies, 1):
        body[0] = last
        sealed = json.dumps(body)
        last = hashlib.sha256(sealed.encode()).hexdigest()
        links.append({"link": number, "kind": body[1], "ref": body[3], "sealed": sealed, "seal": last})
    return {
        "chain.json": json.dumps({"links": links, "older_decisions": []}).encode(),
        "accounts.json": json.dumps([{"link": 1, "kind": "account", "ref": "acme"}]).encode(),
        "notices.json": json.dumps([notice]).encode(),
        "strikes.json": json.dumps({"strikes": [{"id": "s1", "kind": "x"}]}).encode(),
        "charges.csv": b"account,rule,cycle,policy,number,amount\nacme,asr,2026-10,p,1,5.00\n",
        "decisions.json": json.dumps([{"decision": "d1"}]).encode(),
        "opt_outs.json": b'{"history": []}',
    }


def _as_text(files: dict[str, bytes]) -> bytes:
    return b"\n===".join(name.encode() + b"\n" + content for name, content in files.items())


def _deflated() -> bytes:
    place = _place("deflated.zip")
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("manifest.json", '{"format": "enforcer evidence 1", "files": {}}')
        bundle.writestr("calls.csv", "a\n" * 500)
    return place.read_bytes()


def _uncommented(text: str) -> str:
    """Every default said, and no word of explanation: what is read fast, and all of which is read."""
    lines = []
    for line in text.splitlines():
        said = re.sub(r"^# (?=\[|[a-z_]+ = )", "", line)
        if said and not said.startswith("#"):
            lines.append(re.sub(r"\s+#.*", "", said))
    return "\n".join(line for line in lines if line.strip()) + "\n"


def _settings_seeds() -> list[bytes]:
    """The example, whole and a table at a time."""
    text = (ROOT / "enforcer.example.toml").read_text()
    tables = re.split(r"\n(?=\[)", re.sub(r"(?m)^(secret|ca|ops)_file.*\n", "", _uncommented(text)))
    first = [table for table in tables if table.startswith(("site", "[ledger", "[policy", "[[switch"))]
    rest = [table for table in tables if table not in first]
    small = ["\n".join([*first, table]) + "\n" for table in rest]
    return [text.encode(), *(one.encode() for one in small)]


def _pack_seeds() -> list[bytes]:
    """Each pack's head with one of its rules, for every kind of rule; and one pack whole."""
    seeds: dict[str, bytes] = {}
    for path in sorted((ROOT / "policies").rglob("*.toml")):
        head, *tables = re.split(r"\n(?=\[\[)", _uncommented(path.read_text()))
        seeds.setdefault("whole", path.read_bytes()[:6000])
        for table in tables:
            kind = re.search(r'kind = "(\w+)"', table)
            seeds.setdefault(kind[1] if kind else table[:20], f"{head}\n{table}\n".encode()[:3000])
    return list(seeds.values())


_TOML = (
    b"\n", b"[pack]", b"[[rule]]", b"[[switch]]", b"[door.agi]", b"[notices]", b"[numbers]", b'"""', b"'''",
    b'"', b"\\u0000", b"\\", b" = ", b"{", b"}", b"[", b"]", b",", b"#", b"inf", b"nan", b"1e400",
    b"99999999999999999999", b"-1", b"0", b"2026-10-05", b"true", b'kind = "asr"', b"critical = { at = ",
    b"verdict = ", b'"block"', b"window = ", b'"rolling 1h"', b".", b"\xff",
)  # fmt: skip
_CSV = (
    b'"', b'""', b",", b"\n", b"\r\n", b'","', b"\0", b"\xff", b"\xef\xbb\xbf", b"9" * 12, b"-1",
    b"Local/", b"ANSWERED", b"2026-02-30 25:61:61", b"0000-00-00", b"Europe/Berlin", b"../x", b"trunk",
)  # fmt: skip
_JSON = (
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"null", b"true", b"1e999", b"9" * 30, b"[" * 50, b'"link"',
    b'"sealed"', b'"seal"', b"\n===", b"chain.json\n", b"charges.csv\n", b"decisions.json\n", b"\\ud800",
    b"NaN", b"\0", b"\xff",
)  # fmt: skip


def _rows(*texts: str) -> Callable[[], list[bytes]]:
    return lambda: [text.encode() for text in texts]


TARGETS = (
    Target("cdr_asterisk", _cdr, _rows(ASTERISK_ROW, ASTERISK_ROW * 3), _CSV),
    Target(
        "cdr_freeswitch", _cdr_freeswitch,
        lambda: [*(row(one, **channel(zone=BERLIN)).encode() + b"\n" for one in TEMPLATES),
                 (row(**channel()) + "\n" + row(**leg(B)) + "\n").encode()],
        _CSV,
    ),
    Target("accounts_csv", _accounts, _rows(
        "account,customer,type,channels,plan,anchor_day,timezone\nacme,big,pbx,,,1,America/New_York\n"
        '"so,lo",small,trunk,10,gold,31,UTC\n'), _CSV),
    Target("optouts_csv", _opt_outs, _rows(
        "number,customer,account,date,reason\n+12025550142,big,acme,2026-10-05,asked\n(202) 555-0143,big,,,\n"
        "+442079460000,big,,2026-10-05 14:30+02:00,x\n"), _CSV),
    Target("settings", _settings, _settings_seeds, _TOML),
    Target("pack", _pack, _pack_seeds, _TOML),
    Target("template", _template, _rows(
        "Subject: $level of $rule\n\nDear $customer_name,\n\n${clause_text}\n$$ $value\n"),
        (b"$", b"$$", b"${", b"}", b"$account", b"Subject: ", b"\n", b"\r", b"\0", b"\xe2\x80\xa8", b"\xff")),
    Target("bundle_zip", _bundle, lambda: [packed(_bundle_files()), _deflated()],
           (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\0\0", b"\x08\0", b"\xff\xff\xff\xff",
            b"manifest.json")),
    Target("bundle_files", _bundled, lambda: [_as_text(_bundle_files())], _JSON),
)  # fmt: skip
