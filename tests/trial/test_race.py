"""The race: cheapest first, stop at the first that clears, in whatever order answers arrive."""

from __future__ import annotations

import random
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearbar.core.errors import ClearbarError
from clearbar.own.workflow import Bar
from clearbar.trial.race.race import Ask, Candidate, Graded, Parts, Race, RacePlan
from clearbar.trial.race.race_findings import findings
from clearbar.trial.trial import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clearbar.trial.trial import Finding

ERROR = Error(certify=0.05, drop=0.1)
AT_LEAST = Bar(at_least=0.9)
WITHIN = Bar(within=0.05, of="opus")

RULES = Candidate("rules", "none", Decimal(0))
HAIKU = Candidate("haiku", "small", Decimal("0.001"))
OPUS = Candidate("opus", "frontier", Decimal("0.05"))


def plan(
    *candidates: Candidate, bar: Bar = AT_LEAST, cases: int = 400, binary: bool = True
) -> RacePlan:
    return RacePlan(candidates, bar, ERROR, cases, binary, "opus")


def passes(share: float, seed: int = 0) -> Callable[[int], Graded]:
    """Return a tool that passes this share of the cases."""
    scores = [float(random.Random(f"{seed} {i}").random() < share) for i in range(2000)]
    return lambda index: Graded(scores[index], Decimal("0.01"))


def run(race: Race, tools: Mapping[str, Callable[[int], Graded]], limit: int = 1) -> Race:
    while asks := race.wanted(limit):
        for ask in asks:
            race.give(ask, tools[ask.tool](ask.index))
    return race


def found(race: Race) -> dict[str, Finding]:
    return {finding.tool: finding for finding in findings(race)}


GOOD = {"rules": passes(0.3), "haiku": passes(0.98), "opus": passes(0.99)}


def test_the_cheapest_that_clears_wins_and_the_dearer_is_never_asked() -> None:
    race = run(Race(plan(OPUS, HAIKU, RULES)), GOOD)
    outcomes = {tool: (each.outcome, each.reason) for tool, each in found(race).items()}
    assert race.winner == "haiku"
    assert outcomes == {
        "rules": ("fails", "evidence"),
        "haiku": ("clears", "evidence"),
        "opus": ("undecided", "dearer"),
    }
    assert found(race)["opus"].n == 0


def test_findings_stand_in_the_order_in_which_tools_are_tried() -> None:
    race = run(Race(plan(OPUS, HAIKU, RULES)), GOOD)
    assert [finding.tool for finding in findings(race)] == ["rules", "haiku", "opus"]


def test_equal_prices_are_tried_by_tier_then_by_name() -> None:
    same = (
        Candidate("c", "small", Decimal(1)),
        Candidate("b", "none", Decimal(1)),
        Candidate("a", "small", Decimal(1)),
    )
    assert [each.name for each in plan(*same).tested] == ["b", "a", "c"]


def test_an_unknown_price_comes_last_among_its_tier_and_the_note_says_so() -> None:
    local = Candidate("local", "small", None)
    race = Race(plan(RULES, OPUS, local, HAIKU))
    assert [each.name for each in race.plan.tested] == ["rules", "haiku", "local", "opus"]
    assert found(race)["local"].note == "price not known: tried last among its tier"


def test_an_unknown_price_of_the_lowest_tier_comes_first() -> None:
    local = Candidate("local", "none", None)
    assert [each.name for each in plan(HAIKU, local).tested] == ["local", "haiku"]


def test_the_error_rate_is_shared_over_all_that_are_tested() -> None:
    assert plan(RULES, HAIKU, OPUS).alpha == pytest.approx(0.05 / 3)


def test_what_others_are_compared_with_has_no_share_of_the_error_rate() -> None:
    race = Race(plan(RULES, HAIKU, OPUS, bar=WITHIN))
    assert race.plan.alpha == pytest.approx(0.05 / 2)
    assert (found(race)["opus"].reason, found(race)["opus"].alpha) == ("incumbent", 0)


def test_a_tool_that_costs_more_than_the_one_it_would_replace_is_not_tested() -> None:
    dear = Candidate("dear", "frontier", Decimal(1))
    race = Race(plan(HAIKU, OPUS, dear, bar=WITHIN))
    assert race.plan.alpha == pytest.approx(0.05)
    assert (found(race)["dear"].reason, found(race)["dear"].alpha) == ("dearer", 0)


def test_a_refused_tool_is_not_asked_and_has_no_share() -> None:
    refused = Candidate("haiku", "small", Decimal("0.001"), refused="data_class")
    race = Race(plan(RULES, refused, OPUS))
    assert race.plan.alpha == pytest.approx(0.05 / 2)
    assert found(race)["haiku"].reason == "data_class"


def test_a_relative_race_asks_both_tools_each_case_and_shares_the_answers_in_use() -> None:
    race = run(Race(plan(RULES, HAIKU, OPUS, bar=WITHIN)), GOOD)
    assert race.winner == "haiku"
    calls = {tool: each.calls for tool, each in found(race).items()}
    assert calls["opus"] == max(calls["rules"], calls["haiku"])


def test_equal_answers_differ_by_nothing_and_need_no_scores() -> None:
    same = Graded(None, Decimal("0.01"), same_as="digest")
    race = run(
        Race(plan(HAIKU, OPUS, bar=WITHIN)), {"haiku": lambda _: same, "opus": lambda _: same}
    )
    finding = found(race)["haiku"]
    assert (finding.outcome, finding.mean, finding.labels) == ("clears", 0, 0)


def test_answers_that_differ_wait_for_their_grades() -> None:
    race = Race(plan(HAIKU, OPUS, bar=WITHIN))
    for tool in ("haiku", "opus"):
        race.give(Ask(tool, 0), Graded(None, Decimal("0.01"), same_as=tool))
    assert race.grades_wanted() == [Ask("haiku", 0), Ask("opus", 0)]
    race.give(Ask("haiku", 0), Graded(1.0, Decimal("0.01"), same_as="haiku", labels=1))
    race.give(Ask("opus", 0), Graded(1.0, Decimal("0.01"), same_as="opus", labels=1))
    assert race.grades_wanted() == []
    assert race.test is not None
    assert (race.test.n, race.test.mean) == (1, 0)
    finding = found(race)["haiku"]
    assert (finding.calls, finding.labels, finding.spent_usd) == (1, 1, Decimal("0.01"))


def test_an_answer_to_an_absolute_bar_may_be_graded_later() -> None:
    race = Race(plan(HAIKU))
    race.give(Ask("haiku", 0), Graded(None, None))
    assert race.grades_wanted() == [Ask("haiku", 0)]


def test_a_finished_race_wants_nothing() -> None:
    race = run(Race(plan(HAIKU)), GOOD)
    assert (race.finished, race.current, race.test) == (True, None, None)
    assert (race.wanted(9), race.grades_wanted()) == ([], [])


def test_an_answer_cannot_be_given_twice() -> None:
    race = Race(plan(HAIKU))
    race.give(Ask("haiku", 0), Graded(1.0, None))
    with pytest.raises(ValueError, match="given before"):
        race.give(Ask("haiku", 0), Graded(0.0, None))


def test_a_tool_that_does_not_answer_scores_nothing() -> None:
    race = Race(plan(HAIKU))
    race.give(Ask("haiku", 0), Graded(None, None, failed=True))
    assert race.test is not None
    assert race.test.mean == 0


def test_where_the_tool_in_use_does_not_answer_it_counts_as_right() -> None:
    race = Race(plan(HAIKU, OPUS, bar=WITHIN))
    race.give(Ask("haiku", 0), Graded(1.0, None, same_as="x"))
    race.give(Ask("opus", 0), Graded(None, None, same_as="x", failed=True))
    race.give(Ask("haiku", 1), Graded(None, None, failed=True))
    race.give(Ask("opus", 1), Graded(None, None, failed=True))
    assert race.test is not None
    assert race.test.mean == -0.5


def test_a_case_without_an_answer_is_passed_over() -> None:
    race = Race(plan(HAIKU, OPUS, bar=WITHIN))
    race.pass_over(Ask("haiku", 0))
    assert race.wanted(2) == [Ask("haiku", 1), Ask("opus", 1)]
    race = Race(plan(HAIKU))
    race.pass_over(Ask("haiku", 0))
    assert race.wanted(1) == [Ask("haiku", 1)]
    assert found(race)["haiku"].n == 0


def test_passing_over_every_case_ends_undecided() -> None:
    race = Race(plan(HAIKU, cases=60))
    for index in range(60):
        race.pass_over(Ask("haiku", index))
    assert (found(race)["haiku"].outcome, found(race)["haiku"].reason) == ("undecided", "cases")


def test_cases_that_cannot_clear_the_bar_are_not_asked() -> None:
    race = Race(plan(HAIKU, cases=20))
    assert race.finished
    finding = found(race)["haiku"]
    assert (finding.outcome, finding.reason, finding.n, finding.low) == (
        "undecided",
        "cases",
        0,
        None,
    )


def test_a_tool_with_no_cases_of_its_own_is_undecided() -> None:
    race = Race(plan(Candidate("haiku", "small", None, cases=0)))
    assert found(race)["haiku"].reason == "cases"


def test_wanted_asks_come_once_and_the_earliest_case_first() -> None:
    race = Race(plan(HAIKU, OPUS, bar=WITHIN))
    assert race.wanted(3) == [Ask("haiku", 0), Ask("opus", 0), Ask("haiku", 1)]
    assert race.wanted(2) == [Ask("opus", 1), Ask("haiku", 2)]


def test_answers_beyond_the_decision_are_spent_but_not_used() -> None:
    race = run(Race(plan(HAIKU)), GOOD, limit=32)
    finding = found(race)["haiku"]
    assert finding.outcome == "clears"
    assert finding.calls > finding.n
    assert finding.spent_usd == finding.calls * Decimal("0.01")


def test_answers_beyond_the_decision_do_not_change_what_a_tool_costs() -> None:
    def dearer_and_dearer(index: int) -> Graded:
        return Graded(1.0, Decimal(index + 1))

    one, many = (
        found(run(Race(plan(HAIKU)), {"haiku": dearer_and_dearer}, limit))["haiku"]
        for limit in (1, 32)
    )
    assert one.usd_per_case == many.usd_per_case == Decimal(one.n + 1) / 2
    assert one.spent_usd < many.spent_usd


def test_a_stored_answer_costs_nothing_again() -> None:
    race = run(Race(plan(HAIKU)), {"haiku": lambda _: Graded(1.0, Decimal(2), bought=False)})
    finding = found(race)["haiku"]
    assert finding.calls == 0
    assert finding.spent_usd == Decimal(0)
    assert finding.usd_per_case == Decimal(2)


def test_a_call_without_a_price_is_counted_apart() -> None:
    race = run(Race(plan(HAIKU)), {"haiku": lambda _: Graded(1.0, None)})
    finding = found(race)["haiku"]
    assert finding.spent_unpriced_calls == finding.calls > 0
    assert finding.usd_per_case == HAIKU.usd_per_case


def test_out_of_money_the_rest_is_undecided() -> None:
    race = Race(plan(RULES, HAIKU, OPUS))
    race.give(Ask("rules", 0), Graded(1.0, None))
    race.stop("budget")
    assert race.finished
    assert {(each.outcome, each.reason) for each in findings(race)} == {("undecided", "budget")}
    assert [each.n for each in findings(race)] == [1, 0, 0]


def test_a_broken_tool_leads_on_to_the_next() -> None:
    race = Race(plan(RULES, HAIKU, OPUS))
    race.stop("broken", "rules", "no such file")
    assert race.current == "haiku"
    finding = found(race)["rules"]
    assert (finding.reason, finding.note) == ("broken", "no such file")


def test_a_tool_can_break_before_its_turn_but_not_after_its_decision() -> None:
    race = Race(plan(RULES, HAIKU, OPUS))
    race.stop("broken", "opus")
    run(race, GOOD)
    race.stop("broken", "haiku", "too late")
    assert (found(race)["opus"].reason, found(race)["haiku"].outcome) == ("broken", "clears")
    assert race.winner == "haiku"


def test_when_the_tool_in_use_breaks_nothing_can_be_compared() -> None:
    race = Race(plan(RULES, HAIKU, OPUS, bar=WITHIN))
    race.stop("broken", "opus", "timeouts")
    assert race.finished
    assert found(race)["opus"].note == "timeouts"
    assert {each.reason for each in findings(race)} == {"broken", "incumbent"}


def test_undecided_says_how_many_more_cases_and_what_they_cost() -> None:
    race = Race(plan(HAIKU, OPUS, bar=WITHIN))
    for index in range(30):
        for tool in ("haiku", "opus"):
            race.give(Ask(tool, index), Graded(1.0, Decimal("0.01"), same_as="x"))
    race.stop("budget")
    finding = found(race)["haiku"]
    assert finding.more_cases is not None
    assert finding.more_cases > 0
    each_usd = Decimal("0.01") + Decimal("0.01")  # as measured, whatever was expected
    assert finding.more_usd == finding.more_cases * each_usd


def test_without_a_price_in_use_more_cases_have_none() -> None:
    race = Race(plan(HAIKU, OPUS, bar=WITHIN))
    for tool in ("haiku", "opus"):
        race.give(Ask(tool, 0), Graded(1.0, None))
    race.stop("budget")
    assert found(race)["haiku"].more_cases is not None
    assert found(race)["haiku"].more_usd is None


def test_the_evidence_path_is_thinned_and_ends_with_the_last_case() -> None:
    half = Bar(at_least=0.5)
    race = run(Race(plan(HAIKU, bar=half, cases=600)), {"haiku": passes(0.58)})
    finding = found(race)["haiku"]
    assert finding.n > 200
    assert len(finding.path) <= 200
    assert finding.path[-1].n == finding.n
    assert finding.path[-1].log_for == pytest.approx(finding.log_for)


def test_a_name_cannot_stand_twice() -> None:
    with pytest.raises(ClearbarError, match="twice"):
        plan(HAIKU, HAIKU)


def test_the_tool_that_a_bar_compares_with_has_to_be_in_the_race() -> None:
    with pytest.raises(ClearbarError, match='"opus" is not in the race'):
        plan(HAIKU, bar=WITHIN)


def test_a_race_needs_a_bar() -> None:
    with pytest.raises(ClearbarError, match="needs a bar"):
        plan(HAIKU, bar=Bar())


def test_the_totals_are_those_of_all_tools() -> None:
    race = run(Race(plan(RULES, HAIKU, OPUS, bar=WITHIN)), GOOD)
    assert race.tallies.calls == sum(each.calls for each in findings(race))
    assert race.tallies.spent_usd == sum(each.spent_usd for each in findings(race))


def told(race: Race) -> dict[str, object]:
    """Return what was decided of each tool, and on which values."""
    return {tool: (lane.decided, lane.values) for tool, lane in race.lanes.items()}


@cache
def straight(bar: Bar) -> Race:
    return run(Race(plan(RULES, HAIKU, OPUS, bar=bar)), GOOD)


@settings(max_examples=15, deadline=None)
@given(st.integers(), st.integers(1, 40), st.sampled_from([WITHIN, AT_LEAST]))
def test_answers_may_arrive_in_any_order(seed: int, limit: int, bar: Bar) -> None:
    chance = random.Random(seed)
    race, waiting = Race(plan(RULES, HAIKU, OPUS, bar=bar)), list[Ask]()
    while True:
        waiting += race.wanted(limit - len(waiting))
        if not waiting:
            break
        ask = waiting.pop(chance.randrange(len(waiting)))
        race.give(ask, GOOD[ask.tool](ask.index))
    assert race.winner == straight(bar).winner
    assert told(race) == told(straight(bar))


HUNDREDTHS = tuple(place / 100 for place in range(100))


def cascade(
    confidences: tuple[float, ...] = HUNDREDTHS,
    agree_with: tuple[str, ...] = (),
    first_usd: str | None = "0.001",
    usd: str | None = None,
) -> Candidate:
    parts = Parts(
        "haiku",
        "opus",
        agree_with,
        confidences,
        None if first_usd is None else Decimal(first_usd),
        Decimal("0.05"),
    )
    return Candidate("both", "small", None if usd is None else Decimal(usd), parts)


def unsure(index: int) -> Graded:
    """Return an answer that is right where it is confident, and often wrong where it is not."""
    sure = random.Random(f"sure {index}").random()
    right = random.Random(f"right {index}").random() < (1.0 if sure > 0.4 else 0.3)
    return Graded(float(right), Decimal("0.001"), confidence=sure)


def strong(index: int) -> Graded:
    return Graded(float(random.Random(f"opus {index}").random() < 0.99), Decimal("0.05"))


def test_a_cascade_clears_where_neither_part_alone_is_cheap_enough() -> None:
    race = run(Race(plan(HAIKU, cascade(), OPUS, cases=600)), {"haiku": unsure, "opus": strong})
    finding = found(race)["both"]
    assert race.winner == "both"
    assert finding.outcome == "clears"
    assert finding.usd_per_case is not None
    assert Decimal("0.001") < finding.usd_per_case < Decimal("0.05")
    assert "haiku answers where its confidence is at least" in finding.note
    assert found(race)["opus"].reason == "dearer"


def test_a_cascade_asks_the_dear_tool_only_where_the_first_doubts() -> None:
    race = run(Race(plan(HAIKU, cascade(), OPUS, cases=600)), {"haiku": unsure, "opus": strong})
    calls = {tool: each.calls for tool, each in found(race).items()}
    assert 0 < calls["opus"] < calls["haiku"]
    assert calls["both"] == 0


def test_compared_with_its_own_second_tool_a_cascade_asks_it_only_where_the_first_is_sure() -> None:
    race = Race(plan(cascade(), OPUS, bar=WITHIN))
    race.give(Ask("haiku", 0), Graded(1.0, Decimal("0.001"), confidence=0.1))
    assert race.test is not None
    assert (race.test.n, race.test.mean) == (1, 0)
    race.give(Ask("haiku", 1), Graded(1.0, Decimal("0.001"), confidence=0.99))
    assert race.wanted(2) == [Ask("opus", 1), Ask("haiku", 2)]


def test_a_cascade_without_confidences_of_other_cases_cannot_be_tried() -> None:
    race = Race(plan(cascade(confidences=())))
    finding = found(race)["both"]
    assert (finding.reason, finding.n) == ("broken", 0)
    assert "no confidences" in finding.note


def test_a_threshold_that_has_passed_stands_when_the_money_runs_out() -> None:
    race = Race(plan(cascade(), OPUS))
    while race.lanes["both"].threshold == 0.95:
        for ask in race.wanted(1):
            race.give(ask, {"haiku": unsure, "opus": strong}[ask.tool](ask.index))
    race.stop("budget")
    assert found(race)["both"].outcome == "clears"
    assert race.winner == "both"


def test_a_cascade_that_costs_more_than_the_tool_in_use_does_not_win() -> None:
    dear = cascade(first_usd="0.049", usd="0.04")
    sure = Graded(1.0, Decimal("0.049"), confidence=1.0)
    never = {"haiku": lambda _: sure, "opus": passes(1.0)}
    race = run(Race(plan(dear, OPUS, bar=WITHIN)), never)
    assert found(race)["both"].outcome == "clears"
    assert race.winner == "both"
    doubts = {"haiku": lambda _: Graded(1.0, Decimal("0.049"), confidence=None), "opus": strong}
    race = run(Race(plan(dear, OPUS, bar=WITHIN)), doubts)
    assert found(race)["both"].outcome == "clears"
    assert race.winner is None
    assert "not cheaper than another" in found(race)["both"].note


def test_after_a_cascade_only_what_may_undercut_it_is_tried() -> None:
    middle = Candidate("middle", "small", Decimal("0.03"))
    doubts = {
        "haiku": lambda _: Graded(1.0, Decimal("0.001"), confidence=None),
        "opus": strong,
        "middle": passes(1.0),
    }
    race = run(Race(plan(cascade(), middle, OPUS)), doubts)
    assert found(race)["both"].outcome == "clears"
    assert race.winner == "middle"
    assert found(race)["opus"].reason == "dearer"


def test_agreement_of_cheap_tools_is_a_confidence() -> None:
    agreed = cascade(confidences=(0.0, 0.5, 1.0), agree_with=("a", "b"))
    race = Race(plan(agreed))
    assert race.wanted(3) == [Ask("haiku", 0), Ask("a", 0), Ask("b", 0)]
    for tool, digest in (("haiku", "x"), ("a", "x"), ("b", "y")):
        race.give(Ask(tool, 0), Graded(1.0, Decimal("0.001"), same_as=digest))
    assert race.wanted(1) == [Ask("opus", 0)]
    finding = found(race)["both"]
    assert (finding.calls, finding.spent_usd) == (3, Decimal("0.003"))


def test_a_part_without_an_answer_passes_the_case_over() -> None:
    race = Race(plan(cascade()))
    race.pass_over(Ask("haiku", 0))
    assert race.wanted(1) == [Ask("haiku", 1)]


def test_a_broken_part_breaks_the_cascade() -> None:
    race = Race(plan(cascade(), RULES))
    race.stop("broken", "opus", "gone")
    assert found(race)["both"].reason == "broken"
    assert race.current == "rules" or not race.finished


def test_a_cascade_of_unknown_price_says_nothing_of_money() -> None:
    race = Race(plan(cascade(first_usd=None)))
    race.give(Ask("haiku", 0), Graded(1.0, None, confidence=0.99))
    race.stop("budget")
    finding = found(race)["both"]
    assert (finding.usd_per_case, finding.more_usd) == (None, None)
    assert "USD" not in finding.note
