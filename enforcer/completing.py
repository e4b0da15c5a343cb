"""What the shell offers when Tab is pressed: commands, options, and what the configuration and ledger know.

In: the words typed so far. Out: those that may come next, a line each. Refuses to know: what commands do.

A person waits for it, so it begins before anything else of ours is loaded, reads the configuration and the
ledger by the plainest road, and says nothing at all where either cannot be read. Commands and their options
are in commands.json, which a test compares with the commands themselves.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tomllib
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("commands.json")
# Values that are always the same; a test compares them with what the commands take.
WORDS = {
    "mode": ("off", "monitor", "tag", "throttle", "block"),
    "role": ("viewer", "operator", "gateway"),
    "shell": ("bash", "zsh", "fish"),
    "fault": (
        "breaker", "clock", "dead", "frozen", "hostile", "ledger", "link", "mqtt", "switch",
    ),
}
MOST = 500              # words offered; nobody reads more
SCRIPTS = {
    # Words are cut at blanks alone, whatever COMP_WORDBREAKS says: accounts have "@" in their names. What
    # readline is given may only be what follows the last break.
    "bash": """\
_enforcer() {
    local line=${COMP_LINE:0:COMP_POINT} found last kept
    local -a typed
    read -ra typed <<< "$line"
    [[ $line == *[[:blank:]] ]] && typed+=("")
    last=${typed[${#typed[@]}-1]}
    kept=${last%"${last##*[$COMP_WORDBREAKS]}"}
    kept=${kept%@}      # which readline counts with what follows
    COMPREPLY=()
    while IFS= read -r found; do
        found=${found#"$kept"}
        COMPREPLY+=("$(printf '%q' "$found")")
    done < <(enforcer completing "${typed[@]:1}" 2>/dev/null)
}
complete -o default -F _enforcer enforcer
""",
    # Also for a file named _enforcer in $fpath: then the first Tab runs this whole.
    "zsh": """\
#compdef enforcer
_enforcer() {
    local -a typed found
    typed=("${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}")
    found=("${(@f)$(enforcer completing "${(@)typed}" 2>/dev/null)}")
    if [[ -n $found ]]; then compadd -- "${(@)found}"; else _files; fi
}
if [[ $funcstack[1] == _enforcer ]]; then
    _enforcer "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
    compdef _enforcer enforcer
fi
""",
    "fish": """\
function __enforcer_offered
    set -l typed (commandline -opc)
    enforcer completing $typed[2..-1] (commandline -ct | string collect -a) 2>/dev/null
end
complete -c enforcer -f -a '(__enforcer_offered)'
complete -c enforcer -n 'not __enforcer_offered | string length -q' -F
""",
}


def table() -> dict[str, Any]:
    """Each command by its words: its help, commands below it, options with the kind of their value, and
    arguments."""
    found: dict[str, Any] = json.loads(TABLE.read_text("utf-8"))
    return found


def help_of(words: Sequence[str]) -> str:
    """What `--help` after these words says, "" where they are no command."""
    return str(table().get(" ".join(words), {}).get("text", ""))


def offered(words: Sequence[str]) -> list[str]:
    """What may stand in place of the last word, which may be empty or half typed."""
    known = table()
    *before, last = words or [""]
    command, config, kind, seen = "", os.environ.get("ENFORCER_CONFIG", "enforcer.toml"), "", 0
    for word in before:
        options = known[command]["options"]
        if kind:
            config = word if kind == "config" else config
            kind = ""
        elif word.startswith("-"):
            name, equals, value = word.partition("=")
            kind = "" if equals else options.get(name, "")
            config = value if equals and options.get(name) == "config" else config
        elif f"{command} {word}".strip() in known:
            command = f"{command} {word}".strip()
        else:
            seen += 1
    here = known[command]
    if kind:
        found: Iterable[str] = _values(kind, Path(config))
    elif last.startswith("--") and "=" in last:
        name, _, _ = last.partition("=")
        found = (f"{name}={value}" for value in _values(here["options"].get(name, ""), Path(config)))
    elif last.startswith("-"):
        found = (name for name in here["options"] if name.startswith("--") or last == name)
    elif here["commands"]:
        found = here["commands"]
    else:
        arguments = here["arguments"]
        found = _values(arguments[seen], Path(config)) if seen < len(arguments) else ()
    return sorted(word for word in set(found) if word.startswith(last) and word.isprintable())[:MOST]


def _values(kind: str, config: Path) -> Iterable[str]:
    """Values of a kind; none where the shell itself knows better, or nobody does."""
    if kind in WORDS:
        return WORDS[kind]
    if kind not in ("account", "customer", "rule", "switch"):
        return ()
    with suppress(OSError, ValueError, sqlite3.Error, AttributeError, TypeError, KeyError):
        settings = tomllib.loads(config.read_text("utf-8"))
        if kind == "switch":
            return [str(one["name"]) for one in settings["switch"]]
        if kind == "rule":
            return list(_rules(config.parent / pack for pack in settings["policy"]["packs"]))
        url = settings.get("ledger", {}).get("url", "sqlite:///var/enforcer.db")
        return _entered(kind, config.parent / url.partition(":///")[2])
    return ()


def _rules(packs: Iterable[Path]) -> Iterable[str]:
    for pack in packs:
        for rule in tomllib.loads(pack.read_text("utf-8")).get("rule", ()):
            yield str(rule["id"])


def _entered(kind: str, ledger: Path) -> list[str]:
    column = {"account": "id", "customer": "customer"}[kind]
    with closing(sqlite3.connect(f"{ledger.resolve().as_uri()}?mode=ro", uri=True, timeout=0.1)) as store:
        rows = store.execute(f"SELECT DISTINCT {column} FROM account ORDER BY 1")    # noqa: S608 - ours
        return [str(row[0]) for row in rows]


def main(words: Sequence[str]) -> int:
    """`enforcer completing WORDS...`"""
    for word in offered(words):
        print(word)     # noqa: T201
    return 0
