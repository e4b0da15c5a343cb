"""One target under atheris, which looks at what an input reaches and goes on from there.

`python -m tests.fuzz.guided TARGET FOLDER INPUTS SEED`, by `python -m tests.fuzz`; it leaves all in FOLDER.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(name: str, folder: str, inputs: str, seed: str) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["enforcer"], enable_loader_override=False):
        from tests.fuzz.corpus import kept
        from tests.fuzz.mutate import LONGEST
        from tests.fuzz.targets import ALL
        from tests.fuzz.watch import silent
    silent()
    target, place = ALL[name], Path(folder)
    found = place / "found"
    found.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate([*target.seeds(), *kept(name)]):
        (found / f"seed-{number}").write_bytes(data)
    words = "".join(
        '"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in target.words
    )
    (place / "words").write_text(words)
    atheris.Setup(
        [
            "fuzz", str(found), f"-runs={inputs}", f"-seed={seed}", f"-dict={place / 'words'}",
            f"-max_len={LONGEST}", "-timeout=300", "-report_slow_units=300", "-rss_limit_mb=3000",
            "-verbosity=0", "-close_fd_mask=0", "-print_final_stats=1",
            f"-artifact_prefix={place}/failed-",
        ],
        target.run,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
