"""How a routed tool stands: which test its samples feed, its alarm, and what it says of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.route.watching.made import NOW, RELATIVE, SAMPLE, WATCHED, scored

from clearbar.own.workflow import Bar
from clearbar.route.watching.sample import DEFAULT_FALL
from clearbar.route.watching.stand import LEARNT, Stand

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearbar.route.watching.sample import Sample, Watched


def stood(watched: Watched, samples: Iterable[Sample]) -> Stand:
    stand = Stand(watched)
    for sample in samples:
        stand.take(sample)
    return stand


def test_a_tool_that_keeps_above_its_bar_raises_no_alarm() -> None:
    assert not stood(WATCHED, scored(([1.0] * 19 + [0.0]) * 100)).alarmed


def test_a_tool_that_falls_under_its_bar_raises_one() -> None:
    assert stood(WATCHED, scored([1.0, 1.0, 0.0] * 30)).alarmed


def test_an_alarm_says_how_it_scores_and_what_the_bar_is() -> None:
    stand = stood(WATCHED, scored([1.0] * 40 + [1.0, 0.0] * 60))
    said = stand.finding()
    assert said.startswith("gpt-mini scores 0.")
    assert "under its bar of 0.9, over the last 50 of" in said
    assert "1,000 are an alarm" in said


def test_a_difference_is_tested_against_the_margin() -> None:
    falls = [replace(SAMPLE, difference=-1.0 if n % 3 == 0 else 0.0) for n in range(90)]
    stand = stood(RELATIVE, falls)
    assert stand.alarmed
    assert stand.kind == "difference"
    assert "further below than the 0.03 that its bar allows" in stand.finding()


def test_agreement_is_learnt_before_it_is_tested() -> None:
    stand = stood(WATCHED, scored([1.0] * (LEARNT - 1), by_old=True))
    assert stand.bar is None
    stand.take(replace(SAMPLE, score=1.0, by_old=True))
    assert stand.bar == pytest.approx(0.05 ** (1 / LEARNT) - 0.04)
    assert stand.tested == 0


def test_agreement_that_falls_by_more_than_the_score_may_raises_an_alarm() -> None:
    usual, fallen = [1.0] * 9 + [0.0], [1.0] * 3 + [0.0] * 2
    kept = scored(usual * 100, by_old=True)
    assert not stood(WATCHED, kept).alarmed
    stand = stood(WATCHED, [*kept, *scored(fallen * 40, by_old=True)])
    assert stand.alarmed
    assert "agrees with opus on 0.6" in stand.finding()


def test_tools_that_hardly_agree_cannot_be_watched_by_agreement() -> None:
    stand = stood(WATCHED, scored([0.0] * 500, by_old=True))
    assert (stand.bar, stand.alarmed, stand.finding()) == (None, False, "")


def test_a_relative_bar_says_how_far_agreement_may_fall() -> None:
    assert RELATIVE.fall == 0.03


def test_an_absolute_bar_and_its_certificate_say_how_far_agreement_may_fall() -> None:
    assert WATCHED.fall == pytest.approx(0.04)


@pytest.mark.parametrize("score", [None, 0.9, 0.85])
def test_agreement_may_always_fall_a_little(score: float | None) -> None:
    assert replace(WATCHED, certified_score=score).fall == DEFAULT_FALL


def test_what_was_not_graded_says_nothing() -> None:
    stand = stood(WATCHED, [replace(SAMPLE, same=False, sample_id=7)] * 3)
    assert (stand.kind, stand.mean, stand.recent, stand.n, stand.last_sample) == (
        None,
        None,
        None,
        0,
        7,
    )


def test_samples_of_another_kind_are_passed_over() -> None:
    stand = stood(WATCHED, [*scored([1.0] * 5), *scored([0.0] * 50, by_old=True)])
    assert (stand.kind, stand.n, stand.mean) == ("score", 5, 1.0)


def test_a_workflow_whose_bar_is_neither_is_never_alarmed() -> None:
    stand = stood(replace(WATCHED, bar=Bar()), scored([0.0] * 300))
    assert not stand.alarmed


def test_the_threshold_follows_the_pace_of_grading_where_days_are_declared() -> None:
    paced = replace(WATCHED, false_alarm_days=730.0)
    one_an_hour = [
        replace(SAMPLE, score=1.0, at=NOW + timedelta(hours=hour)) for hour in range(101)
    ]
    stand = stood(paced, one_an_hour)
    assert stand.threshold == pytest.approx(24 * 730, rel=0.02)


def test_grades_of_one_moment_have_no_pace() -> None:
    stand = stood(replace(WATCHED, false_alarm_days=730.0), [replace(SAMPLE, score=1.0)] * 60)
    assert stand.threshold == 1000


@given(st.lists(st.sampled_from((0.0, 0.5, 1.0)), max_size=120), st.integers(0, 120))
def test_a_restart_changes_nothing(scores: list[float], cut: int) -> None:
    samples = scored(scores)
    whole, resumed = stood(WATCHED, samples), stood(WATCHED, samples[:cut])
    again = stood(WATCHED, [*samples[:cut], *samples[cut:]])
    for sample in samples[cut:]:
        resumed.take(sample)
    assert whole.statistic == resumed.statistic == again.statistic
    assert whole.alarmed == resumed.alarmed
