"""Where HTTP is answered: nothing goes in the clear to other machines unless somebody says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from enforcer.errors import BadInput
from enforcer.settings import Settings, load
from enforcer.settings_http import HttpSettings


def http(tmp_path: Path, table: str, before: str = "") -> Settings:
    path = tmp_path / "enforcer.toml"
    path.write_text(f'site = "lab"\n{before}\n[http]\n{table}\n')
    return load(path)


@pytest.mark.parametrize("table", [
    "", 'listen = ""', 'listen = "127.0.0.1:8085"', 'listen = "localhost:8085"', 'listen = "[::1]:8085"',
    'listen = "0.0.0.0:8085"\nallow = ["10.0.0.0/8"]',
    'listen = "0.0.0.0:8085"\ntls_cert = "c.pem"\ntls_key = "k.pem"',
])
def test_what_may_be_listened_at(tmp_path: Path, table: str) -> None:
    assert http(tmp_path, table).http.metrics == "token"


WRONG = [
    ('listen = "0.0.0.0:8085"', "other machines can reach 0.0.0.0, and tokens would go over the wire"),
    ('listen = "[::]:8085"', "other machines can reach ::"),
    ('listen = "10.1.2.3:8085"', "other machines can reach 10.1.2.3"),
    ('listen = "example.org:8085"', "'example.org' is no IP address to listen on"),
    ('listen = "127.0.0.1"', "is no address"),
    ('listen = "127.0.0.1:8085"\ntls_cert = "c.pem"', "TLS takes both tls_cert and tls_key"),
    ('listen = "127.0.0.1:8085"\nmetrics = "all"', "metrics"),
    ('listen = "127.0.0.1:8085"\nallow = ["10.0.0.1/8"]', "no such network"),
    ("max_connections = 1", "max_connections"),
    ('lisen = "127.0.0.1:8085"', "did you mean 'listen'?"),
]


@pytest.mark.parametrize(("table", "said"), WRONG)
def test_what_is_wrong_is_told_with_its_key(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(BadInput) as told:
        http(tmp_path, table)
    assert said in str(told.value)


def test_a_gateway_needs_somewhere_to_ask(tmp_path: Path) -> None:
    gateway = '[[switch]]\nname = "gw"\nkind = "gateway"\n'
    with pytest.raises(BadInput, match=r"a gateway asks over HTTP: set listen under \[http\]"):
        http(tmp_path, "", gateway)
    found = http(tmp_path, 'listen = "127.0.0.1:8085"', gateway)
    assert ([one.name for one in found.switches], found.linked) == (["gw"], ())


def test_tls_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    table = HttpSettings(listen="127.0.0.1:1", tls_cert=str(tmp_path / "c"), tls_key=str(tmp_path / "k"))
    with pytest.raises(BadInput, match=r"tls_cert .*/c: No such file or directory"):
        table.tls()
    (tmp_path / "c").write_text("x")
    (tmp_path / "k").write_text("x")
    with pytest.raises(BadInput, match="are no certificate"):
        table.tls()
