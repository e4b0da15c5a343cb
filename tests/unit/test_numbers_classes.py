"""What kind of number was dialled: emergency numbers before anything else, and nothing ever raises."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from enforcer.domain.call import NumberClass
from enforcer.domain.numbers import NumberPlan, bare, pattern, sample

UNTOLD = {"GN", "GQ", "IO", "TA", "TK"}     # the library has no emergency number for these
PLANS = {country: NumberPlan(country) for country in sorted(phonenumbers.SUPPORTED_REGIONS - UNTOLD)}
US, GB, DE = PLANS["US"], PLANS["GB"], PLANS["DE"]


# From each country's public numbering plan.
@pytest.mark.parametrize(("country", "emergency", "ordinary"), [
    ("US", "911 112", "411 611 9110 91 1911"), ("CA", "911 112", "411 811"),
    ("GB", "999 112", "101 111 118500"),
    ("DE", "110 112", "115 116117 11833"), ("FR", "15 17 18 112", "12 3900"), ("ES", "112", "010"),
    ("IT", "112 113 115 118", "187"), ("NL", "112", "1400"), ("BE", "112 100 101", "1207"),
    ("SE", "112", "118118"),
    ("CH", "112 117 118 144", "1811"), ("AT", "112 122 133 144", "118877"),
    ("PL", "112 997 998 999", "118913"),
    ("IE", "112 999", "11811"), ("AU", "000 112 106", "1223"), ("NZ", "111", "018"),
    ("IN", "100 101 102 112", "198"),
    ("CN", "110 119 120", "10086"), ("JP", "110 119", "104"), ("KR", "112 119", "114"),
    ("BR", "190 192 193", "102"),
    ("MX", "911", "040"), ("ZA", "112 10111 10177", "1023"), ("NG", "199", "121"),
    ("IL", "100 101 102 112", "144"),
])
def test_emergency_numbers_are_known_by_country(country: str, emergency: str, ordinary: str) -> None:
    plan = PLANS[country]
    for number in emergency.split():
        assert plan.classify(number) is NumberClass.EMERGENCY, number
    for number in ordinary.split():
        assert plan.classify(number) is not NumberClass.EMERGENCY, number


def test_every_country_knows_an_emergency_number_or_asks_for_one() -> None:
    for country, plan in PLANS.items():
        numbers = (f"{n:0{digits}}" for digits in (3, 2, 4, 5) for n in range(10**digits))
        assert any(plan.is_emergency(number) for number in numbers), country
    for country in UNTOLD:
        with pytest.raises(ValueError, match=f"no emergency number of {country}"):
            NumberPlan(country)
        assert NumberPlan(country, ["117"]).classify("117") is NumberClass.EMERGENCY


@pytest.mark.parametrize("dialled", ["911", "9-1-1", " 911 ", "911#", "9.1.1", "(911)", "911##", "9 1 1#"])
def test_an_emergency_number_is_known_however_it_is_written(dialled: str) -> None:
    assert US.is_emergency(dialled)
    assert US.classify(dialled) is NumberClass.EMERGENCY


@pytest.mark.parametrize(("country", "dialled", "is_emergency"), [
    ("US", "+1911", True), ("US", "+911", True), ("US", "+1112", True), ("US", "+44999", False),
    ("US", "+1933", False), ("US", "1911", False), ("US", "+12911", False), ("US", "+19112", False),
    ("GB", "+44999", True), ("GB", "+44112", True), ("GB", "+999", True), ("GB", "+1911", False),
    ("DE", "+49110", True), ("DE", "+49 112", True), ("DE", "+4911", False), ("IE", "+353999", True),
    ("US", "+", False), ("US", "+1", False), ("US", "", False),
])
def test_an_emergency_number_may_have_the_countrys_code_before_it(
    country: str, dialled: str, is_emergency: bool
) -> None:
    """No telephone number is so short."""
    assert PLANS[country].is_emergency(dialled) is is_emergency


@pytest.mark.parametrize("dialled", ["+12125550111", "12125550111", "2125550111", "011 1 212 555 0111"])
def test_a_telephone_number_that_is_listed_is_one_however_it_is_dialled(dialled: str) -> None:
    plan = NumberPlan("US", ["+1-212-555-0111"])
    assert plan.classify(dialled) is NumberClass.EMERGENCY
    assert plan.classify("12125550112") is not NumberClass.EMERGENCY


@pytest.mark.parametrize("text", ["9-[19]1X", "_1ZN.", "116!", "911", "_[5-7]911", "*66", "88X"])
def test_an_example_of_a_pattern_matches_it(text: str) -> None:
    assert pattern(text).fullmatch(bare(sample(text)))


@pytest.mark.parametrize(("listed", "dialled", "is_emergency"), [
    ("9911", "9911", True), ("9911", "911", True), ("9911", "99110", False), ("*66", "*66", True),
    ("933", "933", True), ("+1-212-555-0111", "+12125550111", True), ("_[5-7]911", "6911", True),
    ("_[5-7]911", "8911", False), ("88X", "885", True), ("112.", "112", True), ("1199!", "1199", True),
    ("1199!", "11995", True), ("116000", "116000", True),
])
def test_listed_numbers_are_emergency_numbers_too(listed: str, dialled: str, is_emergency: bool) -> None:
    assert NumberPlan("US", [listed]).is_emergency(dialled) is is_emergency


@pytest.mark.parametrize(("plan", "number", "kind"), [
    (US, "12125550100", "ordinary"), (US, "2125550100", "ordinary"), (US, "+12125550100", "ordinary"),
    (US, "212-555-0100", "ordinary"), (US, "5550100", "ordinary"),
    (US, "411", "directory_assistance"), (US, "5551212", "directory_assistance"),
    (US, "12125551212", "directory_assistance"), (US, "+12125551212", "directory_assistance"),
    (US, "18005550199", "toll_free"), (US, "8885550199", "toll_free"), (US, "+18005550199", "toll_free"),
    (US, "19005550199", "premium"), (US, "011442079460123", "international"),
    (US, "+442079460123", "international"),
    (US, "+448001111111", "international"),         # free at home only
    (US, "+80012345678", "toll_free"),              # free from everywhere
    (US, "+4490987901234", "international"),        # no such number
    (US, "18765550123", "international"), (US, "12425550123", "international"),     # +1, and another country
    (US, "+449098790123", "premium"),
    (US, "100", "internal"), (US, "*97", "internal"), (US, "1001", "internal"), (US, "100100", "internal"),
    (US, "", "internal"), (US, "s", "internal"), (US, "alice", "internal"), (US, "+", "internal"),
    (GB, "02079460123", "ordinary"), (GB, "08001111111", "toll_free"), (GB, "09098790123", "premium"),
    (GB, "118500", "directory_assistance"), (GB, "0012125550100", "international"),
    (DE, "11833", "directory_assistance"), (DE, "08001234567", "toll_free"),
    (DE, "+493012345678", "ordinary"),
    (US, "0" * 300, "ordinary"),
])
def test_a_number_has_a_class(plan: NumberPlan, number: str, kind: str) -> None:
    assert plan.classify(number) is NumberClass(kind)


def test_patterns_of_the_configuration_win_over_the_library_but_never_over_emergency() -> None:
    plan = NumberPlan("US", classes={
        NumberClass.HIGH_RISK: ["011252.", "+252.", "1900!", "9XX"], NumberClass.ORDINARY: ["18005550100"],
    })
    assert plan.classify("01125261234567") is NumberClass.HIGH_RISK
    assert plan.classify("+252 61 234 567") is NumberClass.HIGH_RISK
    assert plan.classify("19005550199") is NumberClass.HIGH_RISK
    assert plan.classify("18005550100") is NumberClass.ORDINARY
    assert plan.classify("912") is NumberClass.HIGH_RISK
    assert plan.classify("911") is NumberClass.EMERGENCY


@pytest.mark.parametrize(("text", "fits", "fails"), [
    ("NXX-555-1212", "2125551212", "1125551212"), ("[2-9]XX", "311", "111"), ("_Z.", "12", "1"),
    ("Z!", "1", "0"),
    ("1[02468-9]", "19", "17"), ("*6[79#]", "*6#", "*68"), ("1.800.555.0199", "18005550199", "1800"),
    ("+1 (212) 555", "+1212555", "1212555"), ("[0-9]", "5", "-"),
])
def test_a_pattern_means_what_dialplans_mean(text: str, fits: str, fails: str) -> None:
    assert pattern(text).fullmatch(fits)
    assert not pattern(text).fullmatch(fails)


@pytest.mark.parametrize("text", [
    "", "_", "-", "12a", "[", "[2-9", "[]", "[^2]", "[9-2]", "[a-z]", "X]", "1\\d", "٣", "²",
])
def test_what_is_no_pattern_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        pattern(text)


def test_an_unknown_country_is_refused() -> None:
    with pytest.raises(ValueError, match="'UK'"):
        NumberPlan("UK")


@given(st.text(max_size=40) | st.text("0123456789+*#-. ()٣３²", max_size=30))
@example("\ud800")
@example("٩١١")
@example("tel:911;phone-context=+1")
@example("9" * 5000)
def test_hostile_numbers_never_raise_and_have_one_class(number: str) -> None:
    for plan in (US, GB, DE):
        kind = plan.classify(number)
        assert plan.classify(number) is kind
        assert (kind is NumberClass.EMERGENCY) == plan.is_emergency(number)


@given(st.text(max_size=12) | st.text("0123456789XZN[]-.!_+*#", max_size=12))
def test_a_pattern_is_compiled_or_refused(text: str) -> None:
    try:
        compiled = pattern(text)
    except ValueError:
        return
    assert compiled.fullmatch("") is None or text.endswith("!")


def test_bare_numbers_keep_what_was_dialled() -> None:
    assert [bare(text) for text in ("+1 (212) 555-0100", "*66#", "911#", "#31#", "")] == [
        "+12125550100", "*66", "911", "#31", "",
    ]
