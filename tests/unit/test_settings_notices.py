"""The table [notices]: addresses, and that no secret is in the file or in a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from enforcer.errors import BadInput
from enforcer.settings import Settings, load
from enforcer.settings_notices import plain_mail


def written(folder: Path, text: str) -> Settings:
    path = folder / "enforcer.toml"
    path.write_text(f'site = "lab"\n[notices]\n{text}')
    return load(path)


def test_variables_of_the_environment_are_filled_in_when_somebody_wants_to_send(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = written(tmp_path, 'ops = ["json://u:${HOOK_TOKEN}@h/x"]\nmail = "mailto://u:${PASS}@m"\n').notices
    monkeypatch.setenv("HOOK_TOKEN", "t0p")
    monkeypatch.delenv("PASS", raising=False)
    assert terms.ops_addresses() == ("json://u:t0p@h/x",)
    with pytest.raises(BadInput) as error:
        terms.mail_server()
    unset = "environment variable PASS is not set: set it before `enforcer` starts"
    assert str(error.value) == f"notices.mail: {unset}"


def test_more_addresses_come_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "ops").write_text("# on call\nslack://a/b/c\n\n")
    terms = written(tmp_path, 'ops = ["ops@example.com"]\nops_file = "ops"\ntemplates = "texts"\n').notices
    assert terms.ops_addresses() == ("ops@example.com", "slack://a/b/c")
    assert terms.template_path == tmp_path / "texts"
    with pytest.raises(BadInput, match=r"notices.ops_file: .*none: No such file"):
        written(tmp_path, 'ops_file = "none"\n').notices.ops_addresses()


@pytest.mark.parametrize(("text", "problem"), [
    ('ops = ["mailto://u:hunter2@h"]\n', "notices.ops: a password does not belong in this file"),
    ('mail = "mailto://u:hunter2@h"\n', "notices.mail: a password does not belong in this file"),
    ('mail = "smtp.example.com"\n', 'notices.mail: must be "mailto://HOST" or "mailtos://HOST"'),
    ('ops = ["hunter2"]\n', "notices.ops: an address is a URL"),
    ('from = "Fair use"\n', "notices.from: must be an e-mail address"),
    ('from = "a@b\\r\\nBcc: c@d"\n', "notices.from: must be an e-mail address"),
    ("retry = []\n", "notices.retry must not be empty"),
    ("retry = [0]\n", "notices.retry must be more than 0"),
    ("deadlin = 3\n", "unknown key 'notices.deadlin'; did you mean 'deadline'?"),
])
def test_what_is_wrong_is_told_by_line_and_never_quotes_a_secret(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(BadInput) as error:
        written(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path}/enforcer.toml:3: {problem}")
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(("address", "plain"), [
    ("anna@example.com", True), ("mailto://anna@example.com", False), ("anna", False), ("a b@c", False),
    ("a@b@c", False), ("", False),
])
def test_a_plain_mail_address_is_nothing_else(address: str, plain: bool) -> None:
    assert plain_mail(address) is plain
