"""What a notice says: clause, numbers, what happens next and when, and whom to call.

In: what was found, the rule and its pack, the templates. Out: a whole `Notice`, its text among its facts:
what is on record from the beginning is what the customer reads, whatever a template says later.
Refuses to know: who has to be told, how it is sent, and the clock.

Values that came from a call are cleaned: one line each, nothing that is not printable, never very long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from enforcer.domain.account import Account, Standing
from enforcer.domain.decision import Level
from enforcer.domain.notice import About, Audience, Notice, notice_id
from enforcer.domain.rules.base import plain
from enforcer.notices.templates import Templates
from enforcer.notices.words import (
    EMERGENCY,
    Breach,
    capital,
    clean,
    local_time,
    next_of,
    subject_of,
    window_of,
)
from enforcer.settings import Settings
from enforcer.spans import span_words

_DOES = {
    Standing.SUSPENDED: "may not place calls", Standing.TERMINATED: "can neither place nor receive calls",
}
_VERB = {Standing.SUSPENDED: "suspend", Standing.TERMINATED: "terminate"}


def reason_of(notice: Notice) -> str:
    """Why an account is to be suspended or terminated, and who said so."""
    who = notice.facts.get("by", "")
    return " ".join(part for part in (notice.facts.get("reason", ""), f"(by {who})" if who else "") if part)


def stationery_of(settings: Settings) -> Stationery:
    """What the notices of a site are written on. Raises BadInput for a template that cannot be used."""
    terms = settings.notices
    return Stationery(settings.site, Templates(terms.template_path), terms.contact)


@dataclass(frozen=True, slots=True)
class Stationery:
    """What all notices of a site have in common. `contact` is whom to call where a pack does not say."""

    site: str
    templates: Templates
    contact: str = ""

    def reached(self, breach: Breach, audience: Audience, told: str = "", name: str = "") -> Notice:
        """A level was reached. `told` says to ops whether the customer is told; `name` is the customer's."""
        words = self._words(breach, name) | {"told": told, "next": next_of(breach, audience)}
        kind = "ops-level" if audience is Audience.OPS else f"customer-{breach.level.name.lower()}"
        return self._notice(breach, audience, About.LEVEL, kind, words)

    def cleared(self, breach: Breach, audience: Audience, name: str = "") -> Notice:
        """The level that was told of was left again."""
        follows = "Nothing more happens because of it, as long as it stays so."
        kind = "ops-cleared" if audience is Audience.OPS else "customer-cleared"
        return self._notice(
            breach, audience, About.CLEARED, kind, self._words(breach, name) | {"next": follows}
        )

    def proposal(self, breach: Breach) -> Notice:
        """Ops are asked to suspend or terminate."""
        wanted = breach.rule.spec.propose
        assert wanted is not None
        whom = clean(breach.whose) or "ACCOUNT, for each account of this customer,"
        command = f"enforcer account {_VERB[wanted]} {whom}"
        follows = (
            f"At once: {command}\nWith notice to the customer: {command} --after 7d\n"
            f"To see why: enforcer why {clean(breach.account.id)}"
        )
        words = self._words(breach, "") | {"next": follows, "standing": wanted.value}
        return self._notice(breach, Audience.OPS, About.PROPOSAL, "ops-proposal", words)

    def standing(
        self, account: Account, wanted: Standing, at: float, after: float, reason: str, who: str = "",
        name: str = "",
    ) -> Notice:
        """An account is going to be suspended or terminated, `after` seconds after this was delivered. `who`
        decided so is on record, and not in the text."""
        when = local_time(at + after, account.timezone)
        follows = (
            f"Account {clean(account.id)} will be {wanted.value} no earlier than {when}, {span_words(after)} "
            f"after this notice has reached you. From then on it {_DOES[wanted]}. {EMERGENCY}\n"
            "If the reason is gone by then, tell us."
        )
        words = self._account(account, at, name) | {
            "standing": wanted.value, "reason": reason or "by decision of the operator", "next": follows,
            "grace": span_words(after),
        }
        moment = datetime.fromtimestamp(at, ZoneInfo("UTC")).isoformat(timespec="milliseconds")
        ident = notice_id(
            Audience.CUSTOMER, About.STANDING, account.customer, account.id, "", Level.CRITICAL,
            f"{wanted.value} {moment}",
        )
        facts = self._filled("customer-standing", words | {"notice": ident})
        facts |= {"standing": wanted.value, "reason": reason, "by": who}
        return Notice(
            ident, Audience.CUSTOMER, About.STANDING, account.customer, account.id, "", Level.CRITICAL, "",
            at, grace=after, then=wanted.value, facts=facts,
        )

    def carried_out(self, told: Notice, account: Account, at: float) -> Notice:
        """Ops are told that an account was suspended or terminated, as its notice had announced."""
        known = told.told_at if told.told_at is not None else at
        follows = (f"Notice {told.id} reached the customer at {local_time(known, account.timezone)}.\n"
                   f"To undo: enforcer account resume {clean(account.id)}")
        words = self._account(account, at, "") | {
            "standing": told.then, "next": follows,
            "reason": reason_of(told) or "by decision of the operator",
        }
        ident = notice_id(
            Audience.OPS, About.STANDING, told.customer, told.account, "", told.level, told.id
        )
        facts = self._filled("ops-standing", words | {"notice": ident}) | {"standing": told.then}
        return Notice(
            ident, Audience.OPS, About.STANDING, told.customer, told.account, "", told.level, "", at,
            facts=facts,
        )

    def trouble(self, told: Notice, kind: str, words: str, at: float) -> Notice:
        """Ops are told that a notice has not reached anybody; each `kind` of trouble once a notice."""
        follows = (
            "It is tried again. As long as it has not reached anybody, what waits for it does not happen.\n"
            f"To see it: enforcer notice show {told.id}\n"
            f"Told by telephone or letter: enforcer notice ack {told.id} --by NAME --reason HOW\n"
            f"Where notices to this customer go: enforcer customer show {clean(told.customer)}"
        )
        fill = {
            "site": self.site, "customer": told.customer, "subject": subject_of(told.account, told.customer),
            "rule": told.rule or told.about.value, "about_notice": told.id, "trouble": words, "next": follows,
            "account": told.account, "account_or_any": told.account,
        }
        ident = notice_id(
            Audience.OPS, About.TROUBLE, told.customer, told.account, told.rule, told.level,
            f"{told.id} {kind}",
        )
        facts = self._filled("ops-trouble", fill | {"notice": ident}) | {"notice": told.id, "trouble": words}
        return Notice(
            ident, Audience.OPS, About.TROUBLE, told.customer, told.account, told.rule, told.level,
            told.cycle, at, facts=facts,
        )

    def breaker(self, words: str, rule: str, at: float) -> Notice:
        """Ops are told that the breaker tripped, `words` why."""
        follows = (
            f"Why: {words}.\n\nFrom now on every call goes. Rules are judged and reported as before.\n"
            "To look at it: enforcer breaker\n"
            "If a pack is wrong, put it right first: enforcer reload\n"
            "Then, or if it was meant: enforcer breaker rearm --reason TEXT\n"
            "What is refused from then on counts anew, and can trip it again."
        )
        moment = datetime.fromtimestamp(at, ZoneInfo("UTC")).isoformat(timespec="milliseconds")
        ident = notice_id(Audience.OPS, About.BREAKER, "", "", rule, Level.CRITICAL, moment)
        facts = self._filled("ops-breaker", {
            "site": self.site, "at": local_time(at, "UTC"), "rule": rule, "trouble": words,
            "notice": ident, "next": follows,
        })
        return Notice(
            ident, Audience.OPS, About.BREAKER, "", "", rule, Level.CRITICAL, "", at,
            facts=facts | {"trouble": words},
        )

    def test(self, at: float, who: str) -> tuple[str, str]:
        """Subject and text of a test."""
        facts = self._filled("test", {
            "site": self.site, "at": local_time(at, "UTC"), "reason": who, "contact": self.contact or "-",
        })
        return facts["subject"], facts["text"]

    def _notice(
        self, breach: Breach, audience: Audience, about: About, kind: str, words: Mapping[str, str]
    ) -> Notice:
        spec = breach.rule.spec
        ident = breach.id(audience, about)
        facts = self._filled(kind, {**words, "notice": ident}) | {
            "clause": spec.clause, "metric": breach.rule.metric, "value": breach.value, "limit": breach.limit,
            "mode": breach.mode.word, "caller": breach.account.id,
        }
        waits = spec.notice if about is About.LEVEL and audience is Audience.CUSTOMER else None
        return Notice(
            ident, audience, about, breach.account.customer, breach.whose, spec.id, breach.level,
            breach.span.label, breach.at, waits.grace if waits else 0.0, waits.holds if waits else 0.0,
            facts=facts,
        )

    def _words(self, breach: Breach, name: str) -> dict[str, str]:
        rule, spec, zone = breach.rule, breach.rule.spec, breach.zone
        return self._account(breach.account, breach.at, name) | {
            "account": breach.whose, "subject": subject_of(breach.whose, breach.account.customer),
            "rule": spec.id, "clause": spec.clause, "clause_text": spec.text,
            "policy": spec.policy, "level": breach.level.name.lower(), "metric": capital(rule.metric),
            "value": breach.value, "limit": breach.limit, "last_limit": plain(spec.critical.at),
            "mode": breach.mode.word, "cycle": breach.span.label, "window": window_of(breach),
            "cycle_start": local_time(breach.span.start, zone),
            "cycle_end": local_time(breach.span.end, zone),
            "at": local_time(breach.at, zone),
            "grace": span_words(spec.notice.grace) if spec.notice else "",
            "contact": (breach.pack.contact if breach.pack else "") or self.contact or "your provider",
        }

    def _account(self, account: Account, at: float, name: str) -> dict[str, str]:
        return {
            "site": self.site, "account": account.id, "account_or_any": account.id,
            "customer": account.customer, "customer_name": name or account.customer,
            "subject": subject_of(account.id, account.customer), "at": local_time(at, account.timezone),
            "contact": self.contact or "your provider",
        }

    def _filled(self, kind: str, words: Mapping[str, str]) -> dict[str, str]:
        safe = {name: clean(value) for name, value in words.items()}
        safe["next"] = "\n".join(clean(line, 1000) for line in words.get("next", "").splitlines())
        subject, text = self.templates.fill(kind, safe)
        return {"subject": subject, "text": text}
