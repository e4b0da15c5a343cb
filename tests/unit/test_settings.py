"""The configuration: what is promised loads, and what is wrong is told with line, key and hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from enforcer.domain.call import NumberClass
from enforcer.domain.mode import Mode
from enforcer.errors import BadInput
from enforcer.settings import load

ROOT = Path(__file__).parents[2]

SITE = 'site = "lab"\n'
SWITCH = '[[switch]]\nname = "pbx1"\nsecret_env = "ENFORCER_TEST_SECRET"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "enforcer.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_promised_keys_load(tmp_path: Path) -> None:
    settings = load(
        written(
            tmp_path,
            """
site = "lab"
[ledger]
url = "sqlite:///var/enforcer.db"
[policy]
packs = ["policies/ip2call.toml"]
[numbers]
country = "US"
emergency = []
[[switch]]
name = "pbx1"
kind = "asterisk"
host = "127.0.0.1"
port = 5038
username = "enforcer"
secret_env = "ENFORCER_AMI_SECRET"
outbound_contexts = ["from-accounts"]
inbound_contexts = ["from-trunk"]
timezone = "UTC"
""",
        )
    )
    assert settings.site == "lab"
    assert settings.switch("pbx1").outbound_contexts == ("from-accounts",)
    assert settings.policy.default_mode is Mode.MONITOR


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    settings = load(
        written(tmp_path, SITE + '[ledger]\nurl = "sqlite:///var/x.db"\n[policy]\npacks = ["a.toml"]\n')
    )
    assert settings.ledger_path == tmp_path / "var/x.db"
    assert settings.pack_paths == (tmp_path / "a.toml",)


def test_a_freeswitch_comes_with_its_own_port_and_contexts(tmp_path: Path) -> None:
    table = '[[switch]]\nname = "fs1"\nkind = "freeswitch"\nsecret_env = "X"\n'
    switch = load(written(tmp_path, SITE + table)).switch("fs1")
    assert (switch.port, switch.outbound_contexts, switch.inbound_contexts) == (
        8021, ("default",), ("public",)
    )
    assert load(written(tmp_path, SITE + table + "port = 8022\n")).switch("fs1").port == 8022


def test_an_absolute_ledger_stays_where_it_is(tmp_path: Path) -> None:
    settings = load(written(tmp_path, SITE + '[ledger]\nurl = "sqlite:////var/lib/enforcer.db"\n'))
    assert settings.ledger_path == Path("/var/lib/enforcer.db")


def test_the_example_loads_and_shows_the_defaults(tmp_path: Path) -> None:
    """Every line that is commented out holds the default: uncommented, nothing changes."""
    example = (ROOT / "enforcer.example.toml").read_text()
    settings = load(written(tmp_path, example))
    assert [switch.name for switch in settings.switches] == ["pbx1"]
    defaults = [
        line.removeprefix("# ")
        for line in example.splitlines()
        if line.startswith(
            (
                "# [retention", "# decisions",
                "# [lease", "# [breaker", "# [emergency", "# calls", "# accounts", "# jump", "# least_",
                "# window", "# tests",
                "# [door",
                "# [messages",
                "# stop_words",
                "# start_words",
                "# [http", "# tls_cert", "# tls_key", "# metrics",
                "# [log",
                "# [metrics",
                "# seconds",
                "# headroom",
                "# enabled",
                "# host",
                "# port",
                "# allow",
                "# max_",
                "# read_",
                "# format",
                "# listen",
                "# [notices",
                "# ops",
                "# mail",
                "# from",
                "# contact",
                "# templates",
                "# retry",
                "# deadline",
                "# sweep",
            )
        )
    ]
    uncommented = load(written(tmp_path, example + "\n" + "\n".join(defaults) + "\n"))
    assert uncommented == settings


def test_number_patterns_of_the_configuration_reach_the_plan(tmp_path: Path) -> None:
    text = (
        SITE + '[numbers]\ncountry = "US"\nemergency = ["933"]\n[numbers.classes]\nhigh_risk = ["011881."]\n'
    )
    plan = load(written(tmp_path, text)).numbers.plan()
    assert plan.is_emergency("933")
    assert plan.classify("01188112345") is NumberClass.HIGH_RISK


WRONG = [
    ("", 1, "key 'site' is missing"),
    ('sit = "lab"\n', 1, "unknown key 'sit'; did you mean 'site'?"),
    ('site = ""\n', 1, "site must not be empty"),
    ("site = 3\n", 1, "site must be a string, in quotes"),
    (SITE + "\n\n[polcy]\n", 4, "unknown key 'polcy'; did you mean 'policy'?"),
    (SITE + '[policy]\npacks = "ip2call.toml"\n', 3, "policy.packs must be a list, in brackets"),
    (SITE + '[policy]\npacks = [\n  "a.toml",\n  "",\n]\n', 5, "policy.packs, item 2, must not be empty"),
    (
        SITE + '[policy]\nmode = "blok"\n',
        3,
        "policy.mode must be off, monitor, tag, throttle or block; did you mean 'block'?",
    ),
    (SITE + "policy = { mode = 3 }\n", 2, "policy.mode must be off, monitor, tag, throttle or block"),
    (SITE + '[ledger]\nurl = "postgresql://u:hunter2@h/x"\n', 3, 'ledger.url: must be "sqlite:///FILE"'),
    (
        SITE + '[numbers]\ncountry = "XX"\n',
        3,
        "numbers.country: no such country: 'XX' (an ISO 3166 code such as US)",
    ),
    (
        SITE + '[numbers]\nemergency = ["9Q1"]\n',
        3,
        "numbers.emergency: '9Q1' is no number pattern: 'Q' means nothing in one",
    ),
    (
        SITE + '[numbers.classes]\npremum = ["1900."]\n',
        3,
        "numbers.classes.premum must be callback, emergency, "
        "directory_assistance, toll_free, premium, international, internal, high_risk or ordinary; "
        "did you mean 'premium'?",
    ),
    (
        SITE + '[numbers.classes]\nemergency = ["9"]\n',
        3,
        "numbers.classes.emergency: belongs under numbers.emergency",
    ),
    (
        SITE + '[numbers.classes]\npremium = ["9XX", "911"]\n',
        3,
        "numbers.classes.premium: 911 is an emergency number, of no other class",
    ),
    (
        SITE + '[numbers]\nemergency = ["9911"]\n[numbers.classes]\nhigh_risk = ["9-911"]\n',
        5,
        "numbers.classes.high_risk: 9-911 is an emergency number, of no other class",
    ),
    (
        SITE + '[numbers]\ncountry = "GB"\n[emergency]\ntests = ["933", "999"]\n',
        5,
        "emergency.tests: 999 is an emergency number of GB, no test",
    ),
    (SITE + '[emergency]\ntests = ["9XX"]\n', 3, "emergency.tests: '9XX' is no number as it is dialled"),
    (
        SITE + "[emergency]\nwindow = 60\n",
        3,
        "emergency.window: must be 300 to 86400 seconds, in which somebody may call back; or 0, and no call "
        "back is exempt",
    ),
    (
        SITE + '[emergency]\nwindow = "30d"\n',
        3,
        "emergency.window: must be 300 to 86400 seconds, in which somebody may call back; or 0, and no call "
        "back is exempt",
    ),
    (SITE + SWITCH + "port = 70000\n", 5, "switch.port must be at most 65535"),
    (SITE + SWITCH + "port = 0\n", 5, "switch.port must be at least 1"),
    (SITE + SWITCH + 'port = "5038"\n', 5, "switch.port must be a whole number"),
    (SITE + SWITCH + "port = 5038.5\n", 5, "switch.port must be a whole number"),
    (
        SITE + SWITCH + 'kind = "freeswich"\n',
        5,
        "switch.kind must be asterisk, freeswitch or gateway; did you mean 'freeswitch'?",
    ),
    (
        SITE + SWITCH + 'timezone = "Europe/Belin"\n',
        5,
        "switch.timezone: no such time zone: 'Europe/Belin' (an IANA name such as Europe/Berlin)",
    ),
    (
        SITE + SWITCH + 'timezone = "../../etc/passwd"\n',
        5,
        "switch.timezone: no such time zone: '../../etc/passwd' (an IANA name such as Europe/Berlin)",
    ),
    (SITE + SWITCH + "outbound_contexts = []\n", 5, "switch.outbound_contexts must not be empty"),
    (SITE + SWITCH + 'outbound_contexts = [""]\n', 5, "switch.outbound_contexts, item 1, must not be empty"),
    (
        SITE + SWITCH + 'inbound_contexts = ["a"]\noutbound_contexts = ["a"]\n',
        5,
        "switch.inbound_contexts: context 'a' is among the outbound_contexts already",
    ),
    (
        SITE + SWITCH + 'account_from = "callerid"\n',
        5,
        "switch.account_from must be accountcode, endpoint or caller; did you mean 'caller'?",
    ),
    (SITE + SWITCH + "login_deadline = -1\n", 5, "switch.login_deadline must be more than 0"),
    (SITE + SWITCH + "login_deadline = true\n", 5, "switch.login_deadline must be a number"),
    (SITE + SWITCH + SWITCH, 6, "switch.name: another switch is called 'pbx1' already"),
    (
        SITE + '[[switch]]\nname = "a b"\nsecret_env = "X"\n',
        3,
        "switch.name: may hold letters, digits, '_', '.' and '-' only (it is the first part of call ids)",
    ),
    (
        SITE + '[[switch]]\nname = "x"\n',
        2,
        'switch: no secret: name an environment variable, secret_env = "ENFORCER_AMI_SECRET"',
    ),
    (
        SITE + SWITCH + 'secret_file = "f"\n',
        5,
        "switch.secret_file: give either secret_env or secret_file, not both",
    ),
    (SITE + '[switch]\nname = "x"\n', 2, "[switch] must be written [[switch]]: there may be several"),
    (SITE + "[lease]\nseconds = true\n", 3, "lease.seconds must be a whole number"),
    (SITE + "[door.agi]\nenabld = true\n", 3, "unknown key 'door.agi.enabld'; did you mean 'enabled'?"),
    (
        SITE + '[door.agi]\nallow = ["10.0.0.1/8"]\n',
        3,
        "door.agi.allow: no such network: 10.0.0.1/8 has host bits set",
    ),
    (SITE + '[door.agi]\nhost = "pbx"\n', 3, "door.agi.host: 'pbx' is no IP address to listen on"),
    (SITE + '[log]\nformat = "jsn"\n', 3, "log.format must be auto, json or console; did you mean 'json'?"),
    (
        SITE + '[metrics]\nlisten = "9464"\n',
        3,
        'metrics.listen: \'9464\' is no address: "host:port", such as "127.0.0.1:9464"',
    ),
    ('site = "lab\n', 1, "site: not valid TOML: a quote is opened and not closed in this line"),
    (SITE + '\n[policy\nmode = "tag"\n', 3, "not valid TOML: expected ']' at the end of a table declaration"),
    (SITE + SITE, 2, "site stands there twice"),
    (SITE + "[policy]\n[metrics]\n[policy]\n", 4, "[policy] stands there twice"),
    (SITE + "[policy]\npacks = [\n", 3, "packs: not valid TOML: it is not ended"),
    (SITE + "[policy]\nmode = tag\n", 3,
     "mode: not valid TOML: no value that TOML knows; texts stand in quotes"),
    (SITE + '[[policy]]\nmode = "tag"\n', 2, "[[policy]] must be written [policy]: there is one only"),
    (SITE + "[policy]\npacks = [5]\n", 3, "policy.packs, item 1, must be a string, in quotes"),
    (SITE + SWITCH.replace("pbx1", "x" * 41), 3, "switch.name must be at most 40 characters long"),
    ('sitee = 5\n' + SITE, 1, "unknown key 'sitee'; did you mean 'site'?"),
    (SITE.replace('"lab"', "5"), 1, "site must be a string, in quotes"),
    (SITE + SWITCH + 'door_token_env = "X"\n', 5,
     "switch.door_token_env: only a FreeSWITCH asks over HTTP with a token"),
]


@pytest.mark.parametrize(("text", "line", "problem"), WRONG)
def test_what_is_wrong_is_one_line_with_file_line_key_and_hint(
    tmp_path: Path, text: str, line: int, problem: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        load(path)
    told = str(caught.value)
    assert told == f"{path}:{line}: {problem}"
    assert "\n" not in told


@pytest.mark.parametrize("key", ["secret", "password", "passwd", "pasword", "token"])
def test_a_literal_secret_is_refused_with_a_hint_and_never_shown(tmp_path: Path, key: str) -> None:
    with pytest.raises(BadInput) as caught:
        load(written(tmp_path, SITE + SWITCH + f'{key} = "hunter2"\n'))
    told = str(caught.value)
    assert ":5: " in told
    assert "secret_env" in told
    assert "hunter2" not in told


def test_the_first_of_several_problems_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"enforcer.toml:3: .*mode"):
        load(written(tmp_path, SITE + '[policy]\nmode = "x"\n' + SWITCH + "port = 0\n"))


def test_a_file_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no such file; start from enforcer.example.toml"):
        load(tmp_path / "enforcer.toml")


def test_a_file_that_is_not_text_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "enforcer.toml"
    path.write_bytes(b'site = "lab"\nother = "\xff"\n')
    with pytest.raises(BadInput, match=r"enforcer.toml:2: other: is not UTF-8 text: save it as UTF-8"):
        load(path)
    path.write_bytes('site = "lab"\n'.encode("utf-16"))
    with pytest.raises(BadInput, match=r"enforcer.toml:1: is UTF-16 text: save it as UTF-8"):
        load(path)


def test_a_file_without_end_is_not_read_to_it() -> None:
    with pytest.raises(BadInput, match=r"/dev/zero: is larger than 4000000 bytes: not a configuration"):
        load(Path("/dev/zero"))


def test_marks_and_line_ends_of_windows_change_no_line(tmp_path: Path) -> None:
    path = tmp_path / "enforcer.toml"
    path.write_bytes(b"\xef\xbb\xbf" + (SITE + SWITCH + "prt = 1\n").replace("\n", "\r\n").encode())
    with pytest.raises(BadInput, match=r"enforcer.toml:5: unknown key 'switch.prt'; did you mean 'port'"):
        load(path)


@pytest.mark.parametrize(("token", "told"), [("0123456789abcdef", ""), ("short", "must be 16 to 100"),
                                             ("0123456789abcdef|", "must be 16 to 100"), ("", "is not set")])
def test_token_of_a_door_is_one_that_an_address_can_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str, told: str
) -> None:
    monkeypatch.setenv("ENFORCER_TEST_DOOR", token)
    table = '[[switch]]\nname = "fs1"\nkind = "freeswitch"\ndoor_token_env = "ENFORCER_TEST_DOOR"\n'
    switch = load(written(tmp_path, SITE + table)).switch("fs1")
    if not told:
        assert switch.door_token() == token
        return
    with pytest.raises(BadInput, match=told) as caught:
        switch.door_token()
    assert not token or token not in str(caught.value)


def test_the_secret_comes_from_the_environment_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = load(written(tmp_path, SITE + SWITCH)).switch("pbx1")
    with pytest.raises(BadInput, match="ENFORCER_TEST_SECRET is not set"):
        switch.secret()
    monkeypatch.setenv("ENFORCER_TEST_SECRET", "hunter2")
    assert switch.secret() == "hunter2"
    assert "hunter2" not in repr(switch)


def test_the_secret_comes_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    switch = load(written(tmp_path, SITE + '[[switch]]\nname = "x"\nsecret_file = "ami.secret"\n')).switch(
        "x"
    )
    with pytest.raises(BadInput, match=r"ami.secret: No such file"):
        switch.secret()
    (tmp_path / "ami.secret").write_text("hunter2\n")
    assert switch.secret() == "hunter2"
    (tmp_path / "ami.secret").write_text("\n")
    with pytest.raises(BadInput, match="is empty"):
        switch.secret()


def test_an_unknown_switch_says_which_there_are(tmp_path: Path) -> None:
    settings = load(written(tmp_path, SITE + SWITCH))
    with pytest.raises(
        BadInput, match=r"no such switch: 'pbx2' \(the configuration has pbx1\); did you mean 'pbx1'\?"
    ):
        settings.switch("pbx2")


def test_settings_are_frozen(tmp_path: Path) -> None:
    settings = load(written(tmp_path, SITE))
    with pytest.raises(ValueError, match="frozen"):
        settings.site = "other"  # type: ignore[misc]
