"""Certificates as JSON and in words: every field documented, every sentence true of its figures."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.trial.certificates import (
    BAR,
    KINDS,
    asked,
    certificate,
    crowd,
    futile,
    haiku,
    lost,
    opus,
    opus_in_use,
    relative,
    rules,
    unasked,
    undecided,
    untried,
    won,
)

from clearbar.own.workflow import Bar
from clearbar.trial.certifying import certificate_words as words
from clearbar.trial.certifying.certificate import LABELS_WANTED, STOPPED
from clearbar.trial.certifying.certificate_answer import answer_text
from clearbar.trial.certifying.certificate_json import FIELD_DOCS, certificate_json
from clearbar.trial.trial import Error, Finding, Identity, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clearbar.trial.trial import Certificate


def paths(value: Any, at: str = "") -> Iterator[str]:
    """Yield the path of every field, that of tables keyed by names without the names."""
    if isinstance(value, list):
        for each in value:
            yield from paths(each, f"{at}[]")
    elif isinstance(value, dict) and at != "identity.tools":
        for name, each in value.items():
            here = f"{at}.{name}" if at else name
            yield here
            yield from paths(each, here)


@pytest.mark.parametrize("made", KINDS)
def test_every_field_that_is_written_is_documented(made: Callable[[], Certificate]) -> None:
    assert set(paths(certificate_json(made()))) <= set(FIELD_DOCS)


def test_every_documented_field_is_written_in_that_order() -> None:
    found = list(dict.fromkeys(paths(certificate_json(won()))))
    assert found == list(FIELD_DOCS)


@pytest.mark.parametrize(
    ("noun", "prefix"),
    [
        (Finding, "findings[]"),
        (Step, "findings[].path[]"),
        (Identity, "identity"),
        (Error, "identity.error"),
        (Bar, "identity.bar"),
    ],
)
def test_no_field_of_a_noun_is_left_out(noun: type, prefix: str) -> None:
    assert {f"{prefix}.{each.name}" for each in fields(noun)} <= set(FIELD_DOCS)


def test_money_is_text_that_keeps_every_digit() -> None:
    written = certificate_json(won())
    assert written["spent_usd"] == "0.1448"
    prices = [each["usd_per_case"] for each in findings(written)]
    assert prices == ["0", "0.00011", "0.00042", "0.0061"]


def findings(written: dict[str, object]) -> list[dict[str, Any]]:
    found = written["findings"]
    assert isinstance(found, list)
    return found


def test_an_unknown_price_is_null_and_not_zero() -> None:
    [finding] = findings(certificate_json(certificate(asked("x", "small", 0.97, None, seed=3))))
    assert finding["usd_per_case"] is None
    assert finding["spent_unpriced_calls"] == finding["calls"]


def test_infinite_thresholds_are_null_since_json_has_no_infinity() -> None:
    never = replace(rules(), log_for_needed=math.inf, log_against=-math.inf)
    written = certificate_json(certificate(never))
    json.dumps(written, allow_nan=False)
    assert findings(written)[0]["log_for_needed"] is None


def test_what_is_known_of_recorded_certificates_is_written() -> None:
    written = certificate_json(won(), identifier="ab" * 32, stale=["the prompt has changed"])
    assert (written["id"], written["stale"]) == ("ab" * 32, ["the prompt has changed"])


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (won, "clears"),
        (lost, "fails"),
        (undecided, "undecided"),
        (relative, "clears"),
        (untried, "fails"),
    ],
)
def test_the_answer_is_one_word(made: Callable[[], Certificate], kind: str) -> None:
    assert certificate_json(made())["answer"] == kind


def test_a_winner_is_named_with_its_price_and_the_price_in_use() -> None:
    assert answer_text(certificate(rules(), haiku(), opus())) == (
        "haiku clears resolved >= 0.92 and is the cheapest of 3 tools that does: $0.42 per "
        "thousand cases instead of $6.10; at most 5% of such trials certify a tool that does not."
    )


def test_a_cheaper_tool_that_was_not_decided_is_named() -> None:
    text = answer_text(won())
    assert "the cheapest of 4 tools shown to (nano undecided)" in text


def test_many_undecided_tools_are_counted() -> None:
    near = [replace(futile(), tool=f"nano-{number}") for number in range(6)]
    assert "(nano-0, nano-1, nano-2 and 3 more undecided)" in answer_text(
        certificate(*near, haiku())
    )


def test_a_relative_bar_is_met_and_not_cleared() -> None:
    assert answer_text(relative()).startswith(
        "haiku is within 0.03 of opus and is the cheapest of 3 tools that is: $0.42 per thousand"
    )


def test_the_tool_in_use_may_win_itself() -> None:
    used = replace(haiku(), tool="opus", usd_per_case=Decimal("0.0061"))
    assert answer_text(certificate(rules(), used)).startswith(
        "opus, in use, clears resolved >= 0.92 and is the cheapest of 2 tools that does: "
        "$6.10 per thousand cases;"
    )


def test_a_winner_without_a_price_says_so() -> None:
    text = answer_text(certificate(replace(haiku(), usd_per_case=None)))
    assert text.startswith("haiku clears resolved >= 0.92: its price is not known;")


def test_nobody_is_called_the_cheapest_without_a_price() -> None:
    made = certificate(rules(), replace(haiku(), usd_per_case=None))
    assert answer_text(made).startswith("haiku clears resolved >= 0.92: its price is not")


def test_tools_without_a_price_are_not_compared_with() -> None:
    unpriced = unasked("local", "small", None)
    text = answer_text(certificate(rules(), haiku(), opus(), unpriced))
    assert "is the cheapest of 3 priced tools that does" in text


def test_where_nobody_wins_the_tools_that_fail_are_counted() -> None:
    assert answer_text(lost()) == "No cheaper tool is within 0.03 of opus: 2 fail."


def test_an_absolute_bar_that_nobody_clears_spares_no_tool() -> None:
    assert answer_text(certificate(rules())) == ("No tool clears resolved >= 0.92: 1 fails.")


def test_what_is_only_unlikely_is_not_said_to_fail() -> None:
    broken = unasked("x", "small", None, reason="broken")
    assert answer_text(certificate(rules(), futile(), broken, incumbent=None)) == (
        "No tool can be shown to clear resolved >= 0.92: 1 fails, 1 is too unlikely to within "
        "the cases and the budget and 1 could not be asked."
    )


def test_a_relative_bar_that_nobody_can_be_shown_to_meet() -> None:
    text = answer_text(replace(lost(), findings=(futile(), opus_in_use())))
    assert text.startswith("No cheaper tool can be shown to be within 0.03 of opus: 1 is too")


def test_where_nothing_could_be_asked_nothing_is_decided() -> None:
    assert answer_text(untried()) == "Nothing is decided: no tool could be tried."
    assert "there was no tool to try" in answer_text(certificate())


def test_an_undecided_trial_says_what_a_decision_would_take() -> None:
    assert answer_text(undecided()) == (
        "Undecided on resolved >= 0.92: nano needs about 130 more cases, about $0.40; "
        "opus is undecided too."
    )


def test_an_undecided_trial_that_cannot_tell_says_what_ran_out() -> None:
    out = [replace(unasked(name, "small", "1"), reason="cases") for name in ("a", "b", "c")]
    assert answer_text(certificate(*out)) == (
        "Undecided on resolved >= 0.92: there are too few cases to decide on a; "
        "b and c are undecided too."
    )
    short = replace(futile(), reason="cases", more_cases=None)
    assert "the cases ran out before nano was decided" in answer_text(certificate(short))
    spent = replace(opus(), reason="budget")
    assert "the money ran out before opus" in answer_text(certificate(spent))


@pytest.mark.parametrize(
    ("warning", "said"),
    [(STOPPED, "the trial was stopped before a"), (LABELS_WANTED, "labels are wanted before a")],
)
def test_a_trial_that_has_not_ended_says_what_it_waits_for(warning: str, said: str) -> None:
    left = replace(unasked("a", "small", "1"), reason="cases")
    assert said in answer_text(certificate(left, warnings=(warning,)))


@pytest.mark.parametrize(
    ("finding", "why"),
    [
        (haiku(), "the bet that it clears made 1 into 81; 80 were needed"),
        (rules(), "the bet that it is below 0.93 made 1 into 22; 10 were needed"),
        (opus(), "a cheaper tool had cleared"),
        (opus_in_use(), "in use: the others are compared with it"),
        (futile(), "too unlikely to clear within the cases and the budget"),
        (replace(opus(), reason="data_class"), "it may not be given this workflow's data"),
        (replace(opus(), reason="broken", note="12 x 500"), "could not be asked; 12 x 500"),
        (replace(opus(), reason="cases"), "there are too few cases"),
        (
            replace(opus(), reason="budget", more_cases=1),
            "the money ran out; needs about 1 more case",
        ),
        (replace(haiku(), reason="incumbent"), "in use: the others are compared with it"),
    ],
)
def test_every_reason_has_its_words(finding: Finding, why: str) -> None:
    assert words.why_text(finding, certificate(finding)) == why


def test_failing_a_relative_bar_is_said_as_a_difference() -> None:
    made = lost()
    assert "that it is below a difference of -0.02 to opus" in words.why_text(
        made.findings[0], made
    )


@pytest.mark.parametrize(
    ("bar", "text"),
    [
        (BAR, "resolved >= 0.92"),
        (Bar(at_least=0.9), "score >= 0.9"),
        (Bar(within=0.03, of="opus"), "within 0.03 of opus"),
    ],
)
def test_a_bar_without_a_text_is_written_from_its_level(bar: Bar, text: str) -> None:
    assert words.bar_text(bar) == text


@pytest.mark.parametrize(
    ("log", "text"),
    [
        (-9.0, "0.00012"),
        (0.0, "1"),
        (math.log(20), "20"),
        (7.1, "1,212"),
        (400.0, "over 10,000,000"),
    ],
)
def test_wealth_is_short_at_any_size(log: float, text: str) -> None:
    assert words.wealth_text(log) == text


def test_bounds_are_rounded_outwards() -> None:
    made = replace(haiku(), mean=0.95, low=0.92009, high=0.97001)
    assert words.interval_text(made, relative=False) == "0.920..0.971"
    assert words.interval_text(made, relative=True) == "+0.920..+0.971"


def test_a_tool_without_a_case_has_no_mean_and_no_bounds() -> None:
    assert words.mean_text(None, relative=False) == "-"
    assert not words.interval_text(opus(), relative=False)


def test_the_assumptions_name_the_window_the_grader_and_the_rates() -> None:
    text = " ".join(words.assumptions(crowd(1)))
    for part in ("2026-09-01 to 2026-10-31", "exact, ignoring case", "At most 5%", "0.93", "10%"):
        assert part in text


@pytest.mark.parametrize(
    ("grader", "text"),
    [
        ('{"kind":"normalised"}', "normalised"),
        (
            '{"absolute":0.5,"kind":"numeric","take":"last"}',
            'numeric, absolute = 0.5, take = "last"',
        ),
        ("recorded scores", "recorded scores"),
        ("[1]", "[1]"),
        ("{}", "{}"),
    ],
)
def test_a_grader_is_told_by_its_kind_and_settings(grader: str, text: str) -> None:
    assert words.grader_text(grader) == text


def test_a_tool_whose_evidence_is_broken_is_undecided_and_was_asked() -> None:
    torn = replace(futile(), reason="broken", more_cases=None)
    made = certificate(torn)
    assert answer_text(made) == (
        "Undecided on resolved >= 0.92: nano: part of its evidence is broken."
    )
    assert words.why_text(torn, made).startswith("part of its evidence is broken")
