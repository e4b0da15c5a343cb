"""A site with something to look at: an hour of calls of a few accounts, some of them past their limits.

In: a running house. Out: the same, after that hour. Refuses to know: pages.
"""

from __future__ import annotations

import random
import time

from enforcer import app
from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase
from enforcer.domain.mode import Mode, ModeSetting

PACK = """
[pack]
name = "acme-aup"
revision = "2026-11"
[[rule]]
id = "calls"
kind = "attempts"
clause = "2 Fair Use"
plans = ["small"]
warning = { at = 60, verdict = "tag" }
critical = { at = 120, verdict = "block", sip_code = 403 }
[[rule]]
id = "ratio"
kind = "asr"
clause = "Answer to Seizure Ratio (ASR)"
min_attempts = 40
warning = { at = 3, verdict = "tag" }
critical = { at = 4, verdict = "block", sip_code = 603 }
[[rule]]
id = "minutes"
kind = "minutes"
clause = "1 Fair Use"
plans = ["small", "large"]
warning = { at = 400, verdict = "tag" }
critical = { at = 600, verdict = "block" }
[[rule]]
id = "pace"
kind = "cps"
clause = "8 Shared Systems"
accounts = ["umbrella-dialler"]
critical = { at = 1, verdict = "throttle" }
pace = { max_hold = 0.8 }
[[rule]]
id = "repeat"
kind = "strikes"
clause = "11 Repeat infringers"
window = "180d"
critical = { at = 3, verdict = "block" }
[[rule]]
id = "unwanted"
kind = "opt_out"
clause = "6 Who wrote STOP"
critical = { at = 0, verdict = "block" }
"""
ACCOUNTS = (
    "account,customer,type,channels,plan,anchor_day,timezone\n"
    "acme-office,acme,pbx,,small,1,America/New_York\nglobex-sales,globex,pbx,,small,1,America/Chicago\n"
    "initech-hq,initech,trunk,30,large,1,UTC\numbrella-dialler,umbrella,trunk,10,large,1,UTC\n"
    "wayne-home,wayne,residential,,small,1,America/New_York\n"
)
# account, share of calls, share of these that are answered, seconds talked
CALLERS = (
    ("acme-office", 30, 0.8, 90), ("globex-sales", 34, 0.75, 45), ("initech-hq", 26, 0.85, 160),
    ("umbrella-dialler", 34, 0.18, 20), ("wayne-home", 4, 0.9, 240),
)


def an_hour(house: app.House, seed: int = 7, calls: int = 420) -> None:
    """Calls of the last hour, in their order."""
    chance = random.Random(seed)
    now = time.time()
    house.ledger.put_mode(
        ModeSetting(Mode.BLOCK, "globex-sales", who="ann", at=now - 3000, why="complaint 4711")
    )
    house.ledger.put_mode(ModeSetting(Mode.THROTTLE, "umbrella-dialler", who="bob", at=now - 2400,
                                      why="dialler campaign", until=now + 7200))
    app.changed(house)
    whose = chance.choices([one[0] for one in CALLERS], [one[1] for one in CALLERS], k=calls)
    more = {one[0]: one[1:] for one in CALLERS}
    for place, account in enumerate(whose):
        at = now - 3500 + 3480 * (place / calls) ** 0.9
        attempt = CallAttempt(
            f"pbx1/{1795500000 + place}.{place}", "pbx1", account, Direction.OUTBOUND,
            f"1202555{chance.randrange(100, 200):04d}", "12025550100", at, f"PJSIP/{account}-{place:08x}",
        )
        decision = house.admission.admit(attempt)
        if decision.refused:
            continue
        _, answered, talk = more[account]
        answer = at + 4 if chance.random() < answered else None
        over = at + 4 + talk * chance.uniform(0.3, 2) if answer else at + 20
        if over < now:
            house.ledger.apply(CallEvent(Phase.ENDED, attempt, over, answer, hangup_cause=16))
        elif answer:
            house.ledger.apply(CallEvent(Phase.ANSWERED, attempt, answer, answer))
    house.ledger.flush()
