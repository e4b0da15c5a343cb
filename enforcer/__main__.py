"""The command `enforcer`: the command line, and what it may not know itself.

In: arguments. Out: an exit code. The command line may import neither the running enforcer nor the
switches, so both are handed to it here; they are imported only when a command wants them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from enforcer.checkup import Finding, Grade
from enforcer.control.cli import Outside, app
from enforcer.settings import Settings, SwitchSettings
from enforcer.telemetry import set_up_logging


def _run(settings: Settings) -> int:
    from enforcer.app import run

    set_up_logging(settings.log.format)
    return run(settings)


def _probe(switch: SwitchSettings, emergency: Sequence[str]) -> Iterable[Finding]:
    from enforcer.switch import esl_probe, probe

    if switch.kind == "gateway":
        return [Finding(f"switch {switch.name}", Grade.OK, "is a gateway: it asks over HTTP")]
    look_at = esl_probe.look_at if switch.kind == "freeswitch" else probe.look_at
    return look_at(switch, emergency)


def main() -> None:
    """Carry out the command line, and exit."""
    set_up_logging()        # on stderr: what a command prints on stdout is its answer
    app(obj=Outside(_run, _probe), prog_name="enforcer")


if __name__ == "__main__":
    main()
