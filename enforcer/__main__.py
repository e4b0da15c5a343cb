"""The command `enforcer`: the command line, and what it may not know itself.

In: arguments. Out: an exit code. The command line may import neither the running enforcer nor the
switches, so both are handed to it here; they are imported only when a command wants them. Help, and what Tab
offers, are there before anything is imported.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from enforcer.completing import help_of
from enforcer.completing import main as completing

if TYPE_CHECKING:
    from enforcer.checkup import Finding
    from enforcer.settings import Settings
    from enforcer.settings_switch import SwitchSettings


def _run(settings: Settings) -> int:
    from enforcer.app import run
    from enforcer.log_lines import set_up_logging

    set_up_logging(settings.log.format)
    return run(settings)


def _probe(switch: SwitchSettings, emergency: Sequence[str]) -> Iterable[Finding]:
    from enforcer.checkup import Finding, Grade
    from enforcer.log_lines import set_up_logging
    from enforcer.switch import esl_probe, probe

    set_up_logging()        # on stderr: what a command prints on stdout is its answer
    if switch.kind == "gateway":
        return [Finding(f"switch {switch.name}", Grade.OK, "is a gateway: it asks over HTTP")]
    look_at = esl_probe.look_at if switch.kind == "freeswitch" else probe.look_at
    return look_at(switch, emergency)


def main() -> None:
    """Carry out the command line, and exit."""
    words = sys.argv[1:]
    if words[:1] == ["completing"]:
        sys.exit(completing(words[1:]))
    if words[-1:] == ["--help"] and (text := help_of(words[:-1])):
        sys.stdout.write(f"{text}\n")
        return
    gc.disable()        # imports make no garbage: a tenth of a start was spent on looking for it
    from enforcer.control.cli import Outside, app

    app(obj=Outside(_run, _probe), prog_name="enforcer")


if __name__ == "__main__":
    main()
