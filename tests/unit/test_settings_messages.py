"""What can be set about text messages, and what is said of a mistake there."""

from __future__ import annotations

from pathlib import Path

import pytest

from enforcer.domain.stop_words import StopWords, Wish
from enforcer.errors import BadInput
from enforcer.settings import Settings, load

SWITCH = '[[switch]]\nname = "pbx1"\nsecret_env = "X"\n'


def loaded(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "enforcer.toml"
    path.write_text('site = "lab"\n' + text)
    return load(path)


def test_nobody_asks_about_messages_unless_it_is_said(tmp_path: Path) -> None:
    settings = loaded(tmp_path, SWITCH)
    [switch] = settings.switches
    assert (switch.messages, switch.message_contexts) == (False, "messages-")
    assert not settings.door.messages.enabled
    assert settings.messages.words == StopWords.of()


def test_freeswitch_asks_about_messages_where_it_is_said(tmp_path: Path) -> None:
    [switch] = loaded(tmp_path, SWITCH + 'kind = "freeswitch"\nmessages = true\n').switches
    assert switch.messages


def test_words_and_door_are_the_sites_own(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        SWITCH + 'messages = true\nmessage_contexts = "sms_"\n[messages]\nstop_words = ["Nein danke"]\n'
        '[door.messages]\nenabled = true\nport = 4999\nallow = ["10.0.0.0/8"]\nread_deadline = 2.5\n',
    )
    assert settings.messages.words.wish("nein, danke!") is Wish.STOP
    assert settings.messages.words.wish("STOP") is None
    assert settings.messages.words.wish("start") is Wish.START
    door = settings.door.messages
    assert (door.port, door.allow) == (4999, ("10.0.0.0/8",))
    assert (door.read_deadline, door.max_connections) == (2.5, 100)
    assert settings.door.agi.port == 4573


@pytest.mark.parametrize(("text", "line", "words"), [
    ('[messages]\nstop_words = ["!"]\n', 3, "holds no letter or digit"),
    ('[messages]\nstart_words = ["Stop"]\n', 3, "'stop' is among the stop_words already"),
    ('[messages]\nstop_word = ["x"]\n', 3, "did you mean 'stop_words'?"),
    ('[door.messages]\nhost = "example.org"\n', 3, "is no IP address to listen on"),
    ('[door.messages]\nread_deadline = 0\n', 3, "door.messages.read_deadline"),
    (SWITCH + 'messages = "yes"\n', 5, "messages must be true or false"),
    (SWITCH + 'message_contexts = "a b"\n', 5, "'a b' begins no context"),
])  # fmt: skip
def test_mistake_is_named_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(BadInput) as caught:
        loaded(tmp_path, text)
    assert words in str(caught.value)
    assert f"enforcer.toml:{line}" in str(caught.value)
