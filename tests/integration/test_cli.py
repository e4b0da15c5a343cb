"""The command line as users meet it: names, flags, exit codes, JSON, and one line for what is wrong."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from enforcer.checkup import Finding, Grade
from enforcer.control.cli import Outside, app
from enforcer.settings import Settings
from tests.support.house import HEADER, ROOT, Commands, process

CONFIG = f"""
site = "lab"
[ledger]
url = "sqlite:///var/enforcer.db"
[policy]
packs = ["{ROOT}/policies/ip2call.toml"]
[[switch]]
name = "pbx1"
secret_env = "ENFORCER_TEST_SECRET"
"""
# accountcode src dst dcontext clid channel dstchannel lastapp lastdata start answer end
# duration billsec disposition amaflags uniqueid userfield
ROW = (
    '"acme","100","12025550123","from-accounts","""A"" <100>","PJSIP/acme-0000000{n}",'
    '"PJSIP/carrier-0000001{n}","Dial","PJSIP/x","2026-10-05 10:00:0{n}","2026-10-05 10:00:0{n}",'
    '"2026-10-05 10:01:0{n}",60,60,"ANSWERED","DOCUMENTATION","1791194400.{n}",""\n'
)


class House(Commands):
    """What is started, and found of the switch, is told by the test."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, CONFIG)
        self.ran: list[Settings] = []
        self.switch_findings = [Finding("switch pbx1", Grade.OK, "logged in")]

    def outside(self) -> Outside:
        def pretend(settings: Settings) -> int:
            self.ran.append(settings)
            return 0

        return Outside(pretend, lambda switch, emergency: self.switch_findings)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("ENFORCER_TEST_SECRET", "x")
    monkeypatch.delenv("ENFORCER_CONFIG", raising=False)
    return House(tmp_path)


@pytest.fixture
def peopled(house: House) -> House:
    house.ok(
        "account", "import", house.file("a.csv", HEADER + "acme,acme-inc,pbx,,,1,UTC\n[red]x,y,trunk,3,,,\n")
    )
    return house


def test_check_says_what_every_rule_comes_to(house: House) -> None:
    said = house.ok("check")
    assert "Never counted, never touched, whatever a rule says: 112, 911." in said
    assert "from 4 attempts per completed call on" in said
    facts = house.json("check")
    pack = tomllib.loads((ROOT / "policies/ip2call.toml").read_text(encoding="utf-8"))
    assert [rule["rule"] for rule in facts["rules"]] == [rule["id"] for rule in pack["rule"]]


def test_check_refuses_a_pack_that_could_touch_an_emergency_number(house: House) -> None:
    pack = house.file(
        "bad.toml",
        '[pack]\nname = "b"\nrevision = "1"\n[[rule]]\nid = "r"\nkind = "attempts"\n'
        'clause = "c"\nonly = ["emergency"]\ncritical = { at = 1 }\n',
    )
    house.config.write_text(CONFIG.replace(f"{ROOT}/policies/ip2call.toml", pack))
    assert (
        house.refused("check")
        == f"{pack}:8: rule.only: no rule can touch emergency calls: they are exempt from all"
    )


def test_a_bad_configuration_is_one_line(house: House) -> None:
    house.config.write_text('site = "x"\n[polcy]\n')
    for command in (
        ["check"],
        ["mode"],
        ["account", "list"],
        ["usage", "x"],
        ["verify"],
        ["run"],
        ["doctor"],
    ):
        assert house.refused(*command) == f"{house.config}:2: unknown key 'polcy'; did you mean 'policy'?"


def test_run_gets_the_settings(house: House) -> None:
    house.ok("run")
    assert [settings.site for settings in house.ran] == ["lab"]


def test_doctor_looks_at_everything(house: House) -> None:
    subjects = [finding["subject"] for finding in house.json("doctor")]
    assert subjects == ["configuration", "policy", "ledger", "notices", "switch pbx1", "switch pbx1"]


def test_doctor_exits_1_and_says_what_to_do(house: House) -> None:
    house.switch_findings = [Finding("switch pbx1", Grade.FAILED, "no hook", "include it")]
    result = house.run("doctor")
    assert result.exit_code == 1
    assert "failed   switch pbx1: no hook -> include it" in result.stdout


def test_doctor_does_not_call_a_switch_whose_secret_is_missing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENFORCER_TEST_SECRET")
    house.switch_findings = []
    result = house.run("doctor")
    assert result.exit_code == 1
    assert "failed   switch pbx1: environment variable ENFORCER_TEST_SECRET is not set" in result.stdout


def test_accounts_are_imported_listed_shown_changed(peopled: House) -> None:
    assert [account["account"] for account in peopled.json("account", "list")] == ["[red]x", "acme"]
    assert "[red]x" in peopled.ok("account", "list")
    assert [a["account"] for a in peopled.json("account", "list", "--customer", "acme-inc")] == ["acme"]
    peopled.ok("account", "add", "globex", "--type", "trunk", "--channels", "5", "--customer", "g")
    peopled.ok("account", "set", "globex", "--plan", "flat", "--anchor-day", "31")
    shown = peopled.json("account", "show", "globex")
    assert (shown["type"], shown["channels"], shown["plan"], shown["anchor_day"]) == ("trunk", 5, "flat", 31)
    assert "plan             flat" in peopled.ok("account", "show", "globex")


def test_a_bad_row_imports_nothing(peopled: House) -> None:
    path = peopled.file("b.csv", HEADER + "new,n,pbx,,,,\nnewer,n,pbxx,,,,\n")
    problem = f"{path}:3: type: 'pbxx' is not pbx, residential or trunk; did you mean 'pbx'?"
    assert peopled.refused("account", "import", path) == problem
    assert [account["account"] for account in peopled.json("account", "list")] == ["[red]x", "acme"]


def test_an_account_is_suspended_resumed_terminated(peopled: House) -> None:
    for verb, standing in (("suspend", "suspended"), ("resume", "active"), ("terminate", "terminated")):
        peopled.ok("account", verb, "acme", "--reason", "unpaid")
        assert peopled.json("account", "show", "acme")["standing"] == standing


def test_modes_are_set_and_shown(peopled: House) -> None:
    said = peopled.ok(
        "mode", "set", "block", "--account", "acme", "--rule", "asr", "--for", "2h", "--reason", "[b]"
    )
    assert said.startswith("account acme, rule asr: block until 2")
    peopled.ok("mode", "ceiling", "monitor")
    peopled.ok("mode", "set", "tag", "--switch", "pbx1")
    peopled.ok("mode", "set", "throttle")
    settings = {setting["subject"]: setting for setting in peopled.json("mode")}
    assert {subject: setting["mode"] for subject, setting in settings.items()} == {
        "site ceiling": "monitor",
        "default": "throttle",
        "switch pbx1": "tag",
        "account acme, rule asr": "block",
    }
    assert settings["account acme, rule asr"]["why"] == "[b]"
    assert settings["site ceiling"]["who"]
    assert "[b]" in peopled.ok("mode")


def test_the_default_of_the_configuration_is_shown_where_nobody_set_one(house: House) -> None:
    (setting,) = house.json("mode")
    assert (setting["subject"], setting["mode"], setting["why"]) == ("default", "monitor", "configuration")


def test_a_broken_pack_keeps_nobody_from_pulling_the_ceiling_down(house: House) -> None:
    house.config.write_text(CONFIG.replace("ip2call.toml", "nowhere.toml"))
    assert house.ok("mode", "ceiling", "off") == "site ceiling: off\n"
    assert "nowhere.toml: cannot be read" in house.refused("check")


BAD_USE = [
    (
        ["mode", "set", "blok"],
        "MODE: no such mode: 'blok' (one of off, monitor, tag, throttle, block); did you mean 'block'?",
    ),
    (["mode", "set"], "MODE is missing; see `enforcer mode set --help`"),
    (
        ["mode", "set", "tag", "--for", "soon"],
        "--for: 'soon' is no span of time: numbers with s, m, h, d or w, such as 2h",
    ),
    (["mode", "set", "tag", "--account", "acne"], "no such account: 'acne'; did you mean 'acme'?"),
    (["account", "show", "acne"], "no such account: 'acne'; did you mean 'acme'?"),
    (["account", "add", "acme", "--type", "pbx"], "account 'acme' is registered already: see `account set`"),
    (
        ["account", "add", "n", "--type", "pbxx"],
        "account add: type: 'pbxx' is not pbx, residential or trunk; did you mean 'pbx'?",
    ),
    (["account", "set", "acme"], "account set: nothing to change: name at least one option"),
    (["usage", "acne"], "no such account: 'acne'; did you mean 'acme'?"),
    (
        ["usage", "acme", "--cycle", "2026-13"],
        "--cycle: '2026-13' is no billing cycle: year and month, such as 2026-11",
    ),
    (["why", "acne"], "no such decision, call or account: 'acne'; did you mean 'acme'?"),
    (
        ["cdr", "import", "nowhere.csv", "--switch", "pbx1"],
        "nowhere.csv: cannot be read: No such file or directory",
    ),
    (
        ["cdr", "import", "nowhere.csv", "--switch", "pbx2"],
        "no such switch: 'pbx2' (the configuration has pbx1); did you mean 'pbx1'?",
    ),
    (["cdr", "import", "x"], "--switch is missing; see `enforcer cdr import --help`"),
    (["frobnicate"], "no such command: 'frobnicate'; see `enforcer --help`"),
    (["mod"], "no such command: 'mod'; did you mean 'mode'?"),
    (["mode", "block"], "no such command: 'block'; did you mean `enforcer mode set block`?"),
    (["mode", "never"], "no such command: 'never'; there is set and ceiling"),
    (["mode", "set", "tag", "--acount", "acme"], "no such option: --acount; did you mean --account?"),
    (["mode", "set", "tag", "-x"], "no such option: -x; see `enforcer mode set --help`"),
    (["mode", "set", "tag", "acme"], "too many words: acme; see `enforcer mode set --help`"),
    (
        ["token", "create", "bob"],
        "--role is missing: one of viewer, operator, gateway; see `enforcer token create --help`",
    ),
    (
        ["token", "create", "bob", "--role", "boss"],
        "--role: 'boss' is not one of viewer, operator, gateway",
    ),
    (["calls", "--limit", "many"], "--limit: must be a whole number"),
    (["whatif", "--last", "3x"], "--last: '3x' is no span of time: numbers with s, m, h, d or w, such as 2h"),
    (
        ["calls", "--since", "yesterday"],
        "--since: 'yesterday' is no date such as 2026-10-05, or 2026-10-05 14:30; or a span back from now, "
        "such as 2h or 1d",
    ),
    (
        ["charges", "--cycle", "2026-13"],
        "--cycle: '2026-13' is no billing cycle: year and month, such as 2026-11",
    ),
    (["charges", "--cycle", "abc"], "--cycle: 'abc' is no billing cycle: year and month, such as 2026-11"),
    (["notice", "ack", "n-1", "--reason", "x"], "no such notice: 'n-1'; see `enforcer notice list`"),
    (["strike", "withdraw", "s-1"], "--reason is missing; see `enforcer strike withdraw --help`"),
    (
        ["foresee", "nonsense"],
        "the request is no JSON: Expecting value: line 1 column 1 (char 0); write "
        '{"do": "mode.set", "mode": "monitor"}',
    ),
]


@pytest.mark.parametrize(("command", "problem"), BAD_USE)
def test_bad_use_is_one_line_and_exit_2(peopled: House, command: list[str], problem: str) -> None:
    assert peopled.refused(*command) == problem
    assert [setting["subject"] for setting in peopled.json("mode")] == ["default"]


def test_an_option_without_its_value_is_told_so() -> None:
    done = CliRunner().invoke(app, ["mode", "set", "tag", "--for"])
    assert (done.exit_code, done.stderr) == (
        2, "enforcer: --for: its value is missing\n",
    )


def test_cdrs_are_imported_once_and_usage_follows(peopled: House) -> None:
    path = peopled.file("Master.csv", ROW.format(n=1) + ROW.format(n=2))
    assert peopled.json("cdr", "import", path, "--switch", "pbx1") == {
        "rows": 2,
        "new": 2,
        "completed": 0,
        "unchanged": 0,
        "bad": 0,
        "gaps_closed": 0,
    }
    assert peopled.json("cdr", "import", path, "--switch", "pbx1")["new"] == 0
    facts = peopled.json("usage", "acme", "--cycle", "2026-10")
    (outbound,) = facts["totals"]
    assert (outbound["attempts"], outbound["completed"], outbound["minutes"]) == (2, 2, "2")
    assert (facts["from"], facts["until"]) == (
        "2026-10-01T00:00:00.000+00:00",
        "2026-11-01T00:00:00.000+00:00",
    )
    assert peopled.json("verify") == []
    counters, chain = peopled.ok("verify").splitlines()
    assert counters == "2 calls: all counters agree"
    assert re.fullmatch(r"chain: all \d+ links are sound; its head is \d+:[0-9a-f]{64}", chain)
    told = peopled.json("why", "1791194400.1")
    assert (told["call"]["account"], told["call"]["billsec"]) == ("acme", "60.000")
    assert "asr" in peopled.ok("usage", "acme")


def test_a_bad_cdr_is_named_with_its_line_and_the_rest_imported(peopled: House) -> None:
    path = peopled.file(
        "Master.csv", ROW.format(n=1) + "nonsense\n" + ROW.format(n=2).replace("ANSWERED", "ANSWRED")
    )
    result = peopled.run("cdr", "import", path, "--switch", "pbx1")
    assert result.exit_code == 1
    assert result.stdout == "1 rows imported: 1 new calls, 0 completed, 0 known already; 2 bad rows skipped\n"
    first, second = result.stderr.splitlines()
    assert first.startswith(f"enforcer: {path}:2: ")
    assert second.startswith(f"enforcer: {path}:3: ")


def test_a_file_of_another_kind_does_not_fill_the_terminal(peopled: House) -> None:
    result = peopled.run("cdr", "import", peopled.file("notes.txt", "nonsense\n" * 500), "--switch", "pbx1")
    assert result.exit_code == 1
    assert "500 bad rows skipped" in result.stdout
    assert len(result.stderr.splitlines()) == 21


def test_a_file_that_is_missing_imports_nothing_of_the_others(peopled: House) -> None:
    path = peopled.file("Master.csv", ROW.format(n=1))
    peopled.refused("cdr", "import", path, "nowhere.csv", "--switch", "pbx1")
    assert peopled.ok("verify").startswith("0 calls")


def test_the_configuration_may_be_named_before_the_command_or_in_the_environment(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = CliRunner().invoke(app, ["--config", str(house.config), "mode", "--json"])
    assert before.exit_code == 0
    monkeypatch.setenv("ENFORCER_CONFIG", str(house.config))
    assert CliRunner().invoke(app, ["mode", "--json"]).stdout == before.stdout


def test_as_a_process_it_finds_its_configuration_beside_itself(house: House) -> None:
    done = process(house.directory, "check")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("enforcer.toml: site lab, switches pbx1, ledger var/enforcer.db")


def test_as_a_process_it_says_what_is_missing(tmp_path: Path) -> None:
    done = process(tmp_path, "mode")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("enforcer: enforcer.toml: no such file; start from enforcer.example.toml")


def test_as_a_process_a_table_in_a_pipe_is_not_cut(house: House) -> None:
    name = "a" * 75
    process(house.directory, "account", "add", name, "--type", "pbx", "--customer", "c" * 60)
    assert name in process(house.directory, "account", "list").stdout


def test_without_a_command_it_shows_the_help(tmp_path: Path) -> None:
    done = process(tmp_path)
    assert done.exit_code == 2
    for command in (
        "run", "check", "doctor", "mode", "account", "customer", "notice", "usage", "why", "cdr", "verify",
        "optout", "strike", "head", "evidence", "interruptions",
    ):
        assert f"\n  {command} " in done.stderr
