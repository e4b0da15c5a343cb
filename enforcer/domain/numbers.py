"""What kind of number was dialled, by `phonenumbers` and by patterns of the configuration.

In: a number as dialled. Out: its class; emergency numbers before anything else.
Refuses to know: what a class means to a policy. The only module here that is not stdlib only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType, shortnumberinfo

from enforcer.domain.call import NumberClass

# Longer than any emergency number in the library's tables (they end at 6 digits), so that
# ordinary numbers are told apart by their length alone.
LONGEST_EMERGENCY = 6
# Universal international freephone numbers (ITU-T E.169.1) are free from everywhere.
INTERNATIONAL_FREEPHONE = 800
# Classes are looked up once a number: a lookup costs about 30 us, a remembered one 0.1 us.
REMEMBERED = 65_536

_BY_TYPE = {
    PhoneNumberType.TOLL_FREE: NumberClass.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE: NumberClass.PREMIUM,
}
# Directory assistance is no type of the library; these are the codes that need no configuration.
# US and Canada: 411 and NPA-555-1212 (North American Numbering Plan); GB: 118 and three digits.
_DIRECTORY = {
    "US": ("411", "1411", "555-1212", "NXX-555-1212", "1-NXX-555-1212", "+1-NXX-555-1212"),
    "CA": ("411", "1411", "555-1212", "NXX-555-1212", "1-NXX-555-1212", "+1-NXX-555-1212"),
    "GB": ("118XXX",),
    "DE": ("118XX", "118XXX"),
}
_SEPARATORS = re.compile(r"[\s().\-/]")
_PATTERN = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", "+": r"\+", "*": r"\*", "#": "#"}
_REST = {".": ".+", "!": ".*"}
_SET = re.compile(r"(?:[0-9](?:-[0-9])?|[*#+])+")


def bare(number: str) -> str:
    """The number without separators that people write, and without a "#" that ends dialling."""
    return _SEPARATORS.sub("", number).rstrip("#")


def pattern(text: str) -> re.Pattern[str]:
    """A number pattern as dialplans write them: X 0-9, Z 1-9, N 2-9, [sets], and at the
    end "." for one sign or more, "!" for any rest.

    Separators are ignored. Raises ValueError for anything else.

    >>> bool(pattern("NXX-555-1212").fullmatch("2125551212")), bool(pattern("1900.").fullmatch("1900"))
    (True, False)
    >>> bool(pattern("_[2-4]XX").fullmatch("311"))
    True
    """
    out: list[str] = []
    rest = text.removeprefix("_")
    while rest:
        if rest[0] == "[":
            inside, closed, rest = rest[1:].partition("]")
            if not closed or not _SET.fullmatch(inside):
                raise ValueError(f"{text!r} is no number pattern: a set is written like [2-9]")
            out.append(f"[{inside}]")
            continue
        sign, rest = rest[0], rest[1:]
        if sign in ".!" and not rest:
            out.append(_REST[sign])
        elif sign in _PATTERN:
            out.append(_PATTERN[sign])
        elif sign in "0123456789":
            out.append(sign)
        elif not _SEPARATORS.fullmatch(sign):
            raise ValueError(f"{text!r} is no number pattern: {sign!r} means nothing in one")
    if not out:
        raise ValueError("a number pattern cannot be empty")
    try:
        return re.compile("".join(out))
    except re.error:
        raise ValueError(f"{text!r} is no number pattern: a set runs backwards") from None


def sample(text: str) -> str:
    """A number that the pattern matches.

    >>> sample("9-[19]1X"), sample("_1ZN."), sample("116!")
    ('9110', '1120', '116')
    """
    text = _SEPARATORS.sub("", text.removeprefix("_")) + ("0" if text.endswith(".") else "")
    text = re.sub(r"\[(.)[^]]*\]", r"\1", text).replace("!", "")
    return text.translate(str.maketrans("XZN", "012"))


class NumberPlan:
    """The classes of numbers as dialled in one country.

    `country` is an ISO 3166 code; `emergency` is added to the country's own emergency numbers;
    `classes` adds patterns to other classes and wins over the library. Raises ValueError for an
    unknown country, a bad pattern, and a country whose emergency numbers nobody told.
    """

    def __init__(
        self,
        country: str,
        emergency: Iterable[str] = (),
        classes: Mapping[NumberClass, Iterable[str]] | None = None,
    ) -> None:
        if country not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError(f"no such country: {country!r} (an ISO 3166 code such as US)")
        self.country = country
        self._country_code = phonenumbers.country_code_for_region(country)
        listed = tuple(emergency)
        self._emergency = [pattern(text) for text in listed]
        if not self._emergency and not _emergency_known(country):
            raise ValueError(f"no emergency number of {country} is known: list them under 'emergency'")
        self._patterns = [
            (pattern(text), kind) for kind, texts in (classes or {}).items() for text in texts
        ]
        directory = _DIRECTORY.get(country, ())
        self._patterns += [(pattern(text), NumberClass.DIRECTORY_ASSISTANCE) for text in directory]
        self._remembered: dict[str, NumberClass] = {}
        self._canonical: dict[str, str] = {}
        # A telephone number among them is one however it is dialled.
        self._listed = {self.canonical(text) for text in listed if self.telephone(text) is not None}

    def is_emergency(self, number: str) -> bool:
        """Whether this number reaches emergency services here, or is listed as doing so."""
        dialled = bare(number)
        if any(rule.fullmatch(dialled) for rule in self._emergency):
            return True
        if self._listed and self.canonical(number) in self._listed:
            return True
        # "+911", "+1911": some phones and gateways put that before whatever is dialled. No telephone number
        # is so short (ITU-T E.164 has none of less than seven digits).
        plain = (dialled.removeprefix("+"), dialled.removeprefix(f"+{self._country_code}"))
        return any(
            2 <= len(one) <= LONGEST_EMERGENCY and one.isdecimal()
            and shortnumberinfo.is_emergency_number(one, self.country) for one in plain
        )

    def classify(self, number: str) -> NumberClass:
        """The class of a number as dialled; ORDINARY where nothing better is known."""
        found = self._remembered.get(number)
        if found is None:
            found = self._find(number)
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            self._remembered[number] = found
        return found

    def canonical(self, number: str) -> str:
        """The number as E.164, "+12025550123", whichever way it was written or dialled; without separators
        where it is no number that the country's plan knows, such as an extension."""
        found = self._canonical.get(number)
        if found is None:
            found = self._e164(number)
            if len(self._canonical) >= REMEMBERED:
                self._canonical.clear()
            self._canonical[number] = found
        return found

    def telephone(self, number: str) -> str | None:
        """The same where it can be somebody's telephone number, by its length at least; else None."""
        found = self.canonical(number)
        if not found.startswith("+"):
            return None
        try:
            parsed = phonenumbers.parse(found)
        except phonenumbers.NumberParseException:
            return None
        return found if phonenumbers.is_possible_number(parsed) else None

    def _e164(self, number: str) -> str:
        dialled = bare(number)
        if not dialled.lstrip("+").isdecimal() or len(dialled) <= LONGEST_EMERGENCY:
            return dialled
        while True:
            try:
                parsed = phonenumbers.parse(dialled, self.country)
            except phonenumbers.NumberParseException:
                return dialled
            found = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
            # "+44 00 20 ...", "+1 1 202 ...": the library takes away one prefix too many at a time; who is
            # told this number has to find it by the same. (Prefixes within countries are 0, 1 or 8.)
            prefixed = parsed.italian_leading_zero or str(parsed.national_number)[0] in "018"
            if not prefixed or found == dialled:
                return found
            dialled = found

    def _find(self, number: str) -> NumberClass:
        if self.is_emergency(number):
            return NumberClass.EMERGENCY
        dialled = bare(number)
        for rule, kind in self._patterns:
            if rule.fullmatch(dialled):
                return kind
        if not dialled.lstrip("+").isdecimal() or len(dialled) <= LONGEST_EMERGENCY:
            return NumberClass.INTERNAL     # an extension, a feature code, or a name
        try:
            parsed = phonenumbers.parse(dialled, self.country)
        except phonenumbers.NumberParseException:
            return NumberClass.ORDINARY
        kind_of_number = phonenumbers.number_type(parsed)
        abroad = parsed.country_code not in (self._country_code, INTERNATIONAL_FREEPHONE)
        if abroad and kind_of_number == PhoneNumberType.TOLL_FREE:
            return NumberClass.INTERNATIONAL    # free at home only
        if kind_of_number in _BY_TYPE:
            return _BY_TYPE[kind_of_number]
        if parsed.country_code == self._country_code:
            # +1 is twenty-five countries: a call from the US to Jamaica is not a call within the US.
            abroad = phonenumbers.region_code_for_number(parsed) not in (self.country, None)
        return NumberClass.INTERNATIONAL if abroad else NumberClass.ORDINARY


def _emergency_known(country: str) -> bool:
    """Whether the library has emergency numbers for a country (it has none for five of 245)."""
    metadata = PhoneMetadata.short_metadata_for_region(country)
    return metadata is not None and bool(metadata.emergency and metadata.emergency.national_number_pattern)
