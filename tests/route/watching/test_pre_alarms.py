"""Cheap signs that a tool has changed: they raise the rate of sampling for a while."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.route.watching.made import SAMPLE

from clearbar.route.watching.pre_alarms import (
    LEARNT,
    RAISED_FOR,
    PreAlarm,
    PreAlarms,
    raised_share,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.route.watching.pre_alarms import Sign


def first_raised(sign: Sign, usual: float, changed: Callable[[], float], seed: int = 1) -> int:
    """Values after the change until it is raised, after a long usual time."""
    alarm, chance = PreAlarm(sign), Random(seed)
    yes_or_no = sign in {"disagreement", "format"}
    for _ in range(1000):
        value = float(chance.random() < usual) if yes_or_no else chance.lognormvariate(6, 0.5)
        assert not alarm.add(value)
    return next(count for count in range(1, 2000) if alarm.add(changed()))


def test_a_rate_of_disagreement_that_doubles_is_seen_within_a_few_hundred() -> None:
    chance = Random(2)
    assert first_raised("disagreement", 0.1, lambda: float(chance.random() < 0.3)) < 150


def test_answers_of_another_form_are_seen_soon() -> None:
    assert first_raised("format", 0.0, lambda: 1.0) < 10


@pytest.mark.parametrize("sign", ["length", "latency", "tokens"])
def test_values_that_become_half_as_large_again_are_seen(sign: Sign) -> None:
    chance = Random(3)
    assert first_raised(sign, 0.0, lambda: 1.5 * chance.lognormvariate(6, 0.5)) < 300


def test_nothing_is_raised_while_the_usual_is_learnt() -> None:
    alarm = PreAlarm("format")
    assert not any(alarm.add(float(n % 2)) for n in range(LEARNT))


def test_a_sign_that_was_always_there_is_usual() -> None:
    alarm = PreAlarm("disagreement")
    assert not any(alarm.add(1.0) for _ in range(400))


def test_a_pre_alarm_ends_and_learns_anew_what_is_usual() -> None:
    alarm = PreAlarm("format")
    for _ in range(LEARNT):
        alarm.add(0.0)
    while not alarm.add(1.0):
        pass
    for _ in range(RAISED_FOR):
        alarm.add(1.0)
    assert not alarm.raised
    assert not any(alarm.add(1.0) for _ in range(400))


def test_a_sample_shows_disagreement_form_and_length() -> None:
    signs = PreAlarms()
    for _ in range(LEARNT + 50):
        signs.take(replace(SAMPLE, same=True, characters=100))
    assert not signs.raised
    for _ in range(50):
        signs.take(replace(SAMPLE, same=False, ill_formed=True, characters=900))
    assert signs.raised == (
        "it disagrees with the old tool more often",
        "more of its answers are not of the form that is asked for",
        "its answers have become longer",
    )


def test_a_sample_of_one_tool_alone_says_nothing_of_disagreement() -> None:
    signs = PreAlarms()
    for _ in range(LEARNT + 50):
        signs.take(replace(SAMPLE, characters=100))
    assert "disagreement" not in signs._signs


def test_a_pre_alarm_samples_five_times_as_much_and_never_more_than_all() -> None:
    assert raised_share(0.02, raised=True) == 0.1
    assert raised_share(0.5, raised=True) == 1.0
    assert raised_share(0.02, raised=False) == 0.02


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.02, 0.1, 0.4])
def test_a_usual_rate_is_seldom_called_unusual(rate: float) -> None:
    raised = 0
    for seed in range(100):
        alarm, chance = PreAlarm("disagreement"), Random(seed)
        raised += any(alarm.add(float(chance.random() < rate)) for _ in range(2000))
    assert raised <= 25
