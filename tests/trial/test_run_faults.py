"""Trials whose tools, graders or endpoints do not do as they are told."""

from __future__ import annotations

import socket
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.tools.upstream import Fault, Upstream
from tests.trial.running import World, endpoint, found, made_cases, says

from clearbar.own.workflow import Bar
from clearbar.trial.grading.grade_settings import GradeSettings
from clearbar.trial.running.pace import BROKEN_AFTER, TRIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CASES = 60
PYTHON = GradeSettings("python", function="grading:score", binary=True)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path)) as made:
        yield made


def test_of_a_tool_that_is_down_few_cases_are_asked_and_each_as_often_as_allowed(
    world: World,
) -> None:
    with Upstream(says("yes"), faults=lambda _: Fault("reset")) as upstream:
        tools = [endpoint("down", upstream.url, concurrency=2)]
        certificate = world.run(world.trial(tools, made_cases(CASES)))
    assert found(certificate, "down") == ("undecided", "broken", 0)
    assert len(upstream.prompts) <= BROKEN_AFTER + 4
    assert max(upstream.prompts.values()) == TRIES


def test_calls_that_never_left_cost_nothing(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    tools = [endpoint("nobody", f"http://127.0.0.1:{port}/v1")]
    certificate = world.run(world.trial(tools, made_cases(CASES), max_usd=Decimal("0.0002")))
    finding = certificate.finding_of["nobody"]
    assert finding.reason == "broken"  # and not out of money
    assert (finding.calls, finding.spent_unpriced_calls, certificate.warnings) == (0, 0, ())


def long_answers(_: object, __: str) -> dict[str, int]:
    return {"prompt_tokens": 10, "completion_tokens": 100_000}


def test_answers_longer_than_allowed_are_reserved_as_they_are_once_seen(world: World) -> None:
    limit = Decimal("1.5")  # an answer costs 0.2, and 0.00009 is what its settings allow
    with Upstream(says("yes"), usage=long_answers) as upstream:
        tools = [endpoint("long", upstream.url)]
        for _ in range(3):
            trial = world.trial(tools, made_cases(CASES), Bar(at_least=0.9), max_usd=limit)
            certificate = world.run(trial)
    assert found(certificate, "long")[:2] == ("undecided", "budget")
    assert limit / 2 < certificate.spent_usd <= limit
    assert certificate.warnings == ()


def test_money_spent_beyond_the_budget_is_told(world: World) -> None:
    with Upstream(says("yes"), usage=long_answers) as upstream:
        tools = [endpoint("long", upstream.url)]
        certificate = world.run(world.trial(tools, made_cases(CASES), max_usd=Decimal("0.1")))
    [warning] = certificate.warnings
    assert warning.startswith("it spent $0.")
    assert "of a budget of $0.10" in warning
    assert "-$" not in certificate.finding_of["long"].note


def grade_with(world: World, code: str) -> Any:
    (world.folder / "grading.py").write_text(
        f"seen = []\ndef score(asked, said, wanted):\n    {code}\n"
    )
    with Upstream(says("yes")) as upstream:
        tools = [endpoint("small", upstream.url)]
        return world.run(world.trial(tools, made_cases(CASES), Bar(at_least=0.9), grade=PYTHON))


def test_a_grader_that_grades_nothing_fails_no_tool(world: World) -> None:
    certificate = grade_with(world, "return 2")
    assert found(certificate, "small") == ("undecided", "broken", 0)
    assert "answers in a row were not graded" in certificate.finding_of["small"].note


def test_a_grader_that_fails_now_and_then_is_held_against_the_answer(world: World) -> None:
    certificate = grade_with(world, "return 2 if asked.endswith('7') else 1")
    finding = certificate.finding_of["small"]
    assert finding.reason != "broken"
    assert finding.mean is not None
    assert 0.5 < finding.mean < 1
    assert any("could not be graded" in each for each in certificate.warnings)


def test_a_grader_that_breaks_on_the_way_fails_no_tool(world: World) -> None:
    certificate = grade_with(world, "seen.append(asked); return 1 if len(seen) < 10 else 2")
    finding = certificate.finding_of["small"]
    assert (finding.outcome, finding.reason, finding.mean) == ("undecided", "broken", 1.0)


def test_what_an_endpoint_says_in_place_of_an_id_is_not_kept(world: World) -> None:
    body = {
        "id": "the whole prompt",
        "model": "m" * 5000,
        "choices": [{"message": {"content": "yes"}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 1},
    }
    with Upstream(faults=lambda _: Fault("body", body=body)) as upstream:
        certificate = world.run(world.trial([endpoint("odd", upstream.url)], made_cases(CASES)))
    assert certificate.winner == "odd"
    assert world.store.rows("SELECT DISTINCT upstream_id, model FROM attempt_end") == [("", "")]
