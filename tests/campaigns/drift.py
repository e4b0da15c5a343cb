"""An hour of events shuffled, repeated, delayed and dropped: zero drift, memory flat.

    python -m tests.campaigns.drift --seconds 3600 --seed 1

By turns: histories of the hypothesis machine (tests/properties/test_noise_machine.py), each of a new ledger;
and one ledger with one book that live through the whole time, told thousands of calls as badly, reconciled
every few seconds. Prints a line at each sixteenth of the time: calls, what differed, resident memory. Exit 1
where anything differed.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from enforcer.ledger.sqlite import SqliteLedger
from tests.properties.test_noise_machine import NoiseMachine
from tests.support.ledgers import classify
from tests.support.memory import held, resident
from tests.support.noise import ACCOUNTS, Noise

CALLS_A_TURN = 400
MACHINE = settings(
    max_examples=10, stateful_step_count=30, deadline=None, database=None, print_blob=True,
    suppress_health_check=list(HealthCheck),
)


def turn(noise: Noise, chance: random.Random) -> None:
    """Some hundred calls, told badly."""
    for _ in range(CALLS_A_TURN):
        talk = chance.choice((None, None, chance.randrange(0, 90_000)))
        noise.call(chance.choice(ACCOUNTS), chance.randrange(0, 5000), talk, chance.randrange(0, 60))
        for _ in range(chance.randrange(0, 6)):
            place = chance.randrange(max(1, len(noise.waiting)))
            if chance.random() < 0.5:
                place = max(0, len(noise.waiting) - 1 - chance.randrange(12))
            if chance.random() < 0.15:
                noise.drop(place)
            else:
                noise.deliver(place, chance.choice((1, 1, 1, 2)), again=chance.random() < 0.1)
        if chance.random() < 0.002:
            noise.lose_link()
        if chance.random() < 0.02:
            noise.read_cdrs(chance.sample(noise.unwritten, min(20, len(noise.unwritten))))
    if chance.random() < 0.02:
        noise.restart()


def main() -> int:
    """Run for the time asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    print(f"seed {asked.seed}, {asked.seconds:g} s", flush=True)
    begun, told, wrong, histories = time.monotonic(), 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        noise = Noise(lambda clock: SqliteLedger(Path(folder) / "ledger.db", classify, clock))
        while (gone := time.monotonic() - begun) < asked.seconds:
            run_state_machine_as_test(NoiseMachine, settings=MACHINE)
            histories += MACHINE.max_examples
            until = time.monotonic() + min(5.0, asked.seconds / 20)
            while time.monotonic() < until:
                turn(noise, chance)
                found = noise.wrong()
                wrong += len(found)
                for line in found[:3]:
                    print(line, flush=True)
            if gone >= told * asked.seconds / 16:
                told += 1
                now = held()
                print(
                    f"{gone:7.0f} s: {noise.checked} calls of one ledger, "
                    f"{histories} histories of a new one, {wrong} differences, {now.resident:.1f} MB, "
                    f"{now.pages:.1f} of them pages of ledgers",
                    flush=True,
                )
        wrong += len(noise.ledger.verify())
        noise.ledger.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"done: {noise.checked} calls, {wrong} differences, {resident():.1f} MB, at most {peak:.1f} MB")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
