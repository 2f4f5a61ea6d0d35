"""`clearbar route watch`: how the tools in force do, what alarmed, and what is saved."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from tests.route.watching.made import NOW, RELATIVE, SAMPLE, WATCHED, arm_sums, scored
from tests.trial.certificates import certificate, unasked

from clearbar.cli.main import cli
from clearbar.cli.route_watch import lines
from clearbar.core.store import Store
from clearbar.route.watching.overview import FIELD_DOCS, overview, overview_json
from clearbar.route.watching.saving import saving
from clearbar.route.watching.store import keep
from clearbar.route.watching.watch import Watch
from clearbar.trial.certifying.certificate import save

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.route.watching.overview import Overview
    from clearbar.route.watching.saving import Saving

FALLEN = scored([1.0] * 40 + [1.0, 0.0] * 60)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "facts.db")
    yield opened
    opened.close()


def texts(shown: Overview) -> list[str]:
    return [f"{word} {text}" for word, text, _ in lines(shown)]


def saved(*, good: bool = False, units: int = 30) -> Saving:
    arms = arm_sums([(0.05, 1), (0.07, 1)] * (units // 2)), arm_sums([(0.01, 1)] * units)
    found = saving("replies", arms, arms if good else None, 0.95)
    assert found is not None
    return found


def test_a_tool_above_its_bar_is_told_with_its_scores_and_bets(store: Store) -> None:
    keep(store, scored(([1.0] * 19 + [0.0]) * 5))
    found = texts(overview(store, [WATCHED], {}))
    assert len(found) == 1
    assert found[0].startswith("watch support-replies: gpt-mini scores 0.950 over 100 graded")
    assert "its bar is 0.9; the bet that it fell stands at" in found[0]
    assert found[0].endswith(" of 1,000")


def test_an_alarm_stands_first_with_the_trial_that_is_due(store: Store) -> None:
    keep(store, FALLEN)
    Watch(store).step([WATCHED], NOW)
    found = texts(overview(store, [WATCHED], {}))
    assert found[0].startswith("ALARM support-replies, 2026-11-01 09:30 UTC: gpt-mini scores 0.")
    assert found[1].startswith("next clearbar trial support-replies: gpt-mini fell under its bar")
    assert found[2].startswith("FELL support-replies")


def test_an_alarm_that_a_certificate_ended_asks_for_nothing(store: Store) -> None:
    keep(store, FALLEN)
    Watch(store).step([WATCHED], NOW)
    newer = certificate(unasked("gpt-mini", "small", "0.0004"), decided_at=NOW.replace(hour=23))
    save(store, newer)
    assert [text.split()[0] for text in texts(overview(store, [], {}))] == ["ended"]


def test_looking_raises_no_alarm(store: Store) -> None:
    keep(store, FALLEN)
    shown = overview(store, [WATCHED], {})
    assert shown.seen[0].stand.alarmed
    assert shown.alarms == ()


def test_a_tool_without_a_grade_is_said_to_have_none(store: Store) -> None:
    assert texts(overview(store, [WATCHED], {})) == [
        "watch support-replies: gpt-mini: no answer was graded yet"
    ]


def test_differences_and_agreement_are_called_so(store: Store) -> None:
    keep(store, [replace(SAMPLE, difference=-0.5)])
    assert "differs from opus by -0.500" in texts(overview(store, [RELATIVE], {}))[0]
    other = replace(WATCHED, tool="other")
    keep(store, [replace(SAMPLE, tool="other", score=1.0, by_old=True)])
    text = texts(overview(store, [other], {}))[0]
    assert "agrees with opus on 1.000" in text
    assert "its bar is learnt still" in text


def test_what_is_unusual_is_a_sign(store: Store) -> None:
    usual = [replace(SAMPLE, score=1.0, same=True)] * 250
    keep(store, [*usual, *[replace(SAMPLE, score=1.0, same=False)] * 30])
    assert texts(overview(store, [WATCHED], {}))[1].startswith("sign it disagrees with")


def test_a_saving_is_told_with_its_interval(store: Store) -> None:
    found = texts(overview(store, [], {"replies": saved()}))[0]
    assert found.startswith("saves replies: $0.050 (95% interval $0.04")
    assert "per request (83%); $1.50 in 30 routed requests, against 30 held out" in found


def test_a_saving_of_a_few_conversations_has_no_interval(store: Store) -> None:
    found = texts(overview(store, [], {"replies": saved(units=4)}))[0]
    assert "$0.050 (too few for an interval) per request" in found


def test_a_saving_per_good_outcome_stands_beside(store: Store) -> None:
    assert "per good outcome" in texts(overview(store, [], {"replies": saved(good=True)}))[0]


def fields(value: Any, path: str = "") -> set[str]:
    found: set[str] = set()
    if isinstance(value, dict):
        for name, each in value.items():
            here = f"{path}.{name}" if path else name
            found |= {here} | fields(each, here)
    elif isinstance(value, list):
        for each in value:
            found |= fields(each, f"{path}[]")
    return found


def test_the_json_has_the_fields_that_are_documented(store: Store) -> None:
    keep(store, FALLEN)
    Watch(store).step([WATCHED], NOW)
    shown = overview(store, [WATCHED], {"replies": saved(good=True)})
    told = json.loads(json.dumps(overview_json(shown)))
    good = {path for path in fields(told) if ".usd_per_good." in path}
    assert fields(told) - good == set(FIELD_DOCS)


def test_the_verb_says_what_is_needed_where_nothing_is_watched(tmp_path: Path) -> None:
    (tmp_path / "clearbar.toml").write_text('[[workflow]]\nname = "replies"\n')
    found = CliRunner().invoke(cli, ["--workspace", str(tmp_path), "route", "watch"])
    assert found.exit_code == 0, found.output
    assert "Nothing is watched" in found.output
    as_json = CliRunner().invoke(cli, ["--workspace", str(tmp_path), "route", "watch", "--json"])
    assert json.loads(as_json.output) == {"watched": [], "alarms": [], "savings": []}
