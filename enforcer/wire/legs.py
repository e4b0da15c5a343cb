"""The calls in progress on a switch, and all channels that belong to them.

In: calls and legs, as the reader of events finds them. Out: which call a leg belongs to; the endings of calls
that are gone. Refuses to know: events, and any policy.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from enforcer.domain.call import CallAttempt, CallEvent, Phase, Source
from enforcer.wire.channel import Identity

# Legs remembered at once. 50,000 live calls are what the ledger is built for, each with two legs.
MOST_LEGS = 100_000
MOST_LEGS_OF_A_CALL = 50    # remembered by name; nobody forks wider, and a loop of redirects ends sooner
MOST_UNLISTED = 100         # contexts remembered by name for `enforcer doctor`; more is a mistake anyway


class SwitchNews(StrEnum):
    """What the switch says about itself."""

    BOOTED = "booted"
    SHUTDOWN = "shutdown"


class Call:
    """A call in progress, by its leading leg. `alias` is the Linkedid of a call that another leg leads."""

    __slots__ = ("alias", "answered_at", "attempt", "legs", "moved", "trunk_account")

    def __init__(self, attempt: CallAttempt, answered_at: float | None, trunk_account: str = "") -> None:
        self.attempt = attempt
        self.answered_at = answered_at
        self.trunk_account = trunk_account
        self.alias = ""
        self.legs: list[str] = []   # that were dialled for it
        self.moved = False          # it dialled again after its answer: transferred, perhaps to 911


class Legs:
    """Keeps, by Uniqueid, what is needed to tell the next fact.

    A call that ended leaves no trace. Past `most_legs` the oldest leg is forgotten (`evicted`
    counts them): its end is then told without its beginning, and the ledger joins the two.
    """

    def __init__(self, identity: Identity, *, most_legs: int = MOST_LEGS) -> None:
        self.identity = identity
        self.evicted = 0
        self.unlisted: dict[str, int] = {}
        self._most_legs = most_legs
        self._directions = identity.directions()
        self._calls: dict[str, Call] = {}
        self._originated: dict[str, float | None] = {}     # leg the switch dialled itself -> up since
        self._leg_of: dict[str, str] = {}                   # any other leg -> A-leg, "" not one of ours

    @property
    def live_calls(self) -> int:
        """How many calls are in progress."""
        return len(self._calls)

    @property
    def legs(self) -> int:
        """How many channels are remembered, of whatever kind."""
        return len(self._calls) + len(self._originated) + len(self._leg_of)

    def live(self) -> dict[str, CallAttempt]:
        """The calls in progress, by the Uniqueid of their leading leg."""
        return {uniqueid: call.attempt for uniqueid, call in self._calls.items()}

    def restore(self, attempt: CallAttempt, answered_at: float | None) -> None:
        """A call known from elsewhere (the ledger, a Status list) to be in progress on this switch."""
        uniqueid = attempt.call_id.partition("/")[2]
        self._make_room()
        call = self._calls.setdefault(uniqueid, Call(attempt, answered_at))
        call.moved = True           # for all we know

    def believe(self, question: CallAttempt, leg: str = "") -> None:
        """A door was asked about this call, and its beginning was never heard: it goes on, for all we know,
        until a listing says that it is gone. `leg` is the id of the channel, where that is not its name."""
        uuid, named = leg or question.channel, question.call_id.partition("/")[2]
        if self.find(question.call_id) or uuid in self._leg_of or uuid in self._originated:
            return
        self._make_room()
        call = self._calls[uuid] = Call(question, None)
        call.moved = True           # for all we know
        if named != uuid:
            self._leg_of[named], call.alias = uuid, named

    def moved(self, call_id: str) -> bool:
        """Whether a call may be talking to somebody else than it first dialled. Such a call is never
        ended from here: where it was transferred to is not told, and it may be an emergency number."""
        call = self.find(call_id)
        return call is not None and call.moved

    def find(self, call_id: str) -> Call | None:
        """The call in progress that is counted by this id, None where there is none."""
        leg = call_id.partition("/")[2]
        return self._calls.get(leg) or self._calls.get(self._leg_of.get(leg, ""))

    def answered(self, uniqueid: str, at: float) -> CallEvent | None:
        """Notes an answer that we did not see happen; None where it was known, or no such call is."""
        call = self._calls.get(uniqueid)
        if call is None or call.answered_at is not None:
            return None
        call.answered_at = at
        return CallEvent(Phase.ANSWERED, call.attempt, at, answered_at=at)

    def close_gone(
        self, known_before: Iterable[str], alive: frozenset[str], lost_at: float
    ) -> list[CallEvent]:
        """Ends the calls that are not on the switch any more and whose end we did not see.

        `lost_at` is when the switch was last heard: they lasted at least until then. They end with
        no cause and are marked as inferred, so that a late Hangup or the switch's own CDR, which
        know better, replace this ending.
        """
        endings = []
        for uniqueid in known_before:
            if uniqueid in alive:
                continue
            self._leg_of.pop(uniqueid, None)
            self._originated.pop(uniqueid, None)
            call = self._calls.pop(uniqueid, None)
            if call is None:
                continue
            self._leg_of.pop(call.alias, None)
            answered_at = call.answered_at
            at = max(lost_at, answered_at or call.attempt.at)
            billsec = 0.0 if answered_at is None else float(int(at - answered_at))
            endings.append(
                CallEvent(
                    Phase.ENDED,
                    call.attempt,
                    at,
                    answered_at=answered_at,
                    billsec=billsec,
                    source=Source.INFERRED,
                )
            )
        return endings

    def known_legs(self) -> list[str]:
        """The Uniqueid of every channel remembered now; see `close_gone`."""
        return [*self._calls, *self._originated, *self._leg_of]

    def _make_room(self) -> None:
        if self.legs < self._most_legs:
            return
        oldest: dict[str, object] = max((self._calls, self._leg_of, self._originated), key=len)  # type: ignore[arg-type]
        del oldest[next(iter(oldest))]
        self.evicted += 1

    def _note_unlisted(self, context: str) -> None:
        if context in self.unlisted or len(self.unlisted) < MOST_UNLISTED:
            self.unlisted[context] = self.unlisted.get(context, 0) + 1
