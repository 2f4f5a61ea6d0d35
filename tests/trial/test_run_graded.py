"""What is kept of answers, and trials that a judge, a person or a program of one's own grades."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.tools.upstream import Fault, Upstream
from tests.trial.running import World, by_model, endpoint, found, made_cases, says, settled

from clearbar.core.errors import ClearbarError
from clearbar.own.workflow import Bar
from clearbar.tools.tool import Request, TokenPrice
from clearbar.trial.attempts import Label
from clearbar.trial.certifying.certificate import LABELS_WANTED, is_complete
from clearbar.trial.grading.grade_settings import GradeSettings
from clearbar.trial.running.evidence import now
from clearbar.trial.running.judging import RecordedJudge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.tools.upstream_bodies import Asked

    from clearbar.trial.running.runnable import Trial

PASSED = '{"verdict": "pass"}'


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path)) as made:
        yield made


def test_a_judge_is_asked_only_where_the_answers_differ(world: World) -> None:
    def answer(body: Mapping[str, Any]) -> str:
        if body["model"] == "judge":
            return PASSED
        differs = str(body["messages"][-1]["content"]).endswith("7")
        return "otherwise" if differs and body["model"] == "cheap" else "yes"

    with Upstream(answer) as upstream:
        tools = [endpoint("cheap", upstream.url), endpoint("dear", upstream.url)]
        judge = endpoint("judge", upstream.url)
        trial = world.trial(
            tools, made_cases(80), Bar(within=0.2, of="dear"),
            grade=GradeSettings("judge", tool="judge", criteria="polite"), extra=[judge],
        )  # fmt: skip
        certificate = world.run(trial)
    assert certificate.finding_of["cheap"].n > 10
    differing = sum(m == "cheap" and p.endswith("7") for m, p in upstream.prompts)
    assert 0 < upstream.models["judge"] <= 2 * differing


def test_an_answer_is_recorded_before_the_judge_is_asked_of_it(world: World) -> None:
    def silent(asked: Asked) -> Fault | None:
        return Fault("status", status=500) if asked.model == "judge" else None

    with Upstream(says("yes"), faults=silent) as upstream:
        judge = endpoint("judge", upstream.url)
        trial = world.trial(
            [endpoint("small", upstream.url)], made_cases(30),
            grade=GradeSettings("judge", tool="judge", criteria="polite"), extra=[judge],
        )  # fmt: skip
        certificate = world.run(trial)
    assert found(certificate, "small")[:2] == ("undecided", "broken")
    assert "judge" in certificate.finding_of["small"].note
    kinds = world.store.rows("SELECT kind, ended, count(*) FROM attempt JOIN attempt_end"
                             " USING (attempt_id) GROUP BY 1, 2 ORDER BY 1")  # fmt: skip
    assert {(kind, ended) for kind, ended, _ in kinds} == {
        ("case", "answered"),
        ("judge", "failed"),
    }


def test_a_judge_that_says_no_verdict_is_broken_and_nothing_is_held_against_the_tool(
    world: World,
) -> None:
    with Upstream(by_model({"small": "yes", "judge": "Well, it depends."})) as upstream:
        trial = world.trial(
            [endpoint("small", upstream.url)], made_cases(30),
            grade=GradeSettings("judge", tool="judge", criteria="polite"),
            extra=[endpoint("judge", upstream.url)],
        )  # fmt: skip
        certificate = world.run(trial)
    assert found(certificate, "small") == ("undecided", "broken", 0)
    assert "without a verdict" in certificate.finding_of["small"].note


def test_an_answer_that_a_working_judge_gives_no_verdict_on_is_taken_as_wrong(
    world: World,
) -> None:
    def answer(body: Mapping[str, Any]) -> str:
        last = str(body["messages"][-1]["content"])
        if body["model"] == "judge":
            return "hm" if 'question 3"' in last else PASSED
        return "yes"

    with Upstream(answer) as upstream:
        trial = world.trial(
            [endpoint("small", upstream.url)], made_cases(60),
            grade=GradeSettings("judge", tool="judge", criteria="polite"),
            extra=[endpoint("judge", upstream.url)],
        )  # fmt: skip
        certificate = world.run(trial)
    finding = certificate.finding_of["small"]
    assert finding.mean == pytest.approx((finding.n - 1) / finding.n)
    assert "answers that could not be graded, and count as wrong: 1" in certificate.warnings


def test_a_judge_is_paid_out_of_the_same_budget(world: World) -> None:
    with Upstream(by_model({"small": "yes", "judge": PASSED})) as upstream:
        judge = endpoint("judge", upstream.url, cost=TokenPrice(Decimal(500), Decimal(500)))
        trial = world.trial(
            [endpoint("small", upstream.url)], made_cases(60),
            grade=GradeSettings("judge", tool="judge", criteria="polite"), extra=[judge],
            max_usd=Decimal("0.7"),
        )  # fmt: skip
        certificate = world.run(trial)
    assert found(certificate, "small")[:2] == ("undecided", "budget")
    assert certificate.spent_usd <= Decimal("0.7")
    assert upstream.models["judge"] > 0


def test_what_only_a_person_can_grade_waits_for_the_person(world: World) -> None:
    with Upstream(says("a letter")) as upstream:
        tools, cases = [endpoint("small", upstream.url)], made_cases(100)
        person = GradeSettings("person")
        first = world.run(world.trial(tools, cases, grade=person, capture=True))
        assert LABELS_WANTED in first.warnings
        assert not is_complete(first)
        asked = len(upstream.asked)
        assert asked < 100
        for case, answer in world.store.rows(
            "SELECT case_digest, answer_digest FROM attempt JOIN attempt_end USING (attempt_id)"
        ):
            label = Label("letters", str(case), str(answer), 1.0, "a@example.com", now())
            world.evidence.label(label)
        again = world.run(world.trial(tools, cases, grade=person, capture=True))
    assert again.winner == "small"
    assert len(upstream.asked) == asked


def test_the_store_holds_no_text_of_prompts_cases_or_answers(world: World) -> None:
    with Upstream(says("zebra quilt")) as upstream:
        cases = [replace(case, input=f"walrus {case.id}") for case in made_cases(30)]
        trial = world.trial([endpoint("small", upstream.url)], cases, prompt="marzipan")
        world.run(trial)
    stored = b"".join(path.read_bytes() for path in world.folder.glob("facts.db*"))
    assert b"small" in stored
    assert not [text for text in (b"zebra", b"walrus", b"marzipan") if text in stored]


def test_captured_answers_are_graded_anew_without_a_call(world: World) -> None:
    with Upstream(says("Yes!")) as upstream:
        tools, cases = [endpoint("small", upstream.url)], made_cases(60)
        strict = world.run(world.trial(tools, cases, capture=True))
        asked = len(upstream.asked)
        lenient = world.trial(tools, cases, capture=True, grade=GradeSettings("normalised"))
        regraded = world.run(lenient)
    assert found(strict, "small")[0] == "fails"
    assert regraded.winner == "small"
    assert asked < len(upstream.asked)
    assert max(upstream.prompts.values()) == 1


def test_captured_answers_can_be_removed_and_their_bytes_are_gone(world: World) -> None:
    with Upstream(says("zebra quilt")) as upstream:
        world.run(world.trial([endpoint("small", upstream.url)], made_cases(30), capture=True))
    assert world.evidence.empty_captured("letters") == len(upstream.asked)
    stored = b"".join(path.read_bytes() for path in world.folder.glob("facts.db*"))
    assert b"zebra" not in stored


def test_without_capture_another_grader_has_to_ask_again(world: World) -> None:
    with Upstream(says("yes")) as upstream:
        tools, cases = [endpoint("small", upstream.url)], made_cases(30)
        world.run(world.trial(tools, cases))
        world.run(world.trial(tools, cases, grade=GradeSettings("normalised")))
    assert max(upstream.prompts.values()) == 2


def test_an_answer_that_a_grader_fails_on_counts_as_wrong_and_is_not_bought_again(
    world: World,
) -> None:
    (world.folder / "picky.py").write_text(
        "def score(input, answer, reference):\n"
        "    if input == 'question 2':\n"
        "        raise ValueError(answer)\n"
        "    return 1\n"
    )
    grade = GradeSettings("python", function="picky:score", binary=True)
    with Upstream(says("yes")) as upstream:
        tools = [endpoint("small", upstream.url)]
        first = world.run(world.trial(tools, made_cases(60), grade=grade))
        again = world.run(world.trial(tools, made_cases(60), grade=grade))
    assert first.finding_of["small"].mean == pytest.approx(1 - 1 / first.finding_of["small"].n)
    assert "answers that could not be graded, and count as wrong: 1" in first.warnings
    assert settled(again) == settled(first)
    assert max(upstream.prompts.values()) == 1


def test_a_case_whose_reference_cannot_be_used_is_passed_over(world: World) -> None:
    cases = [replace(made_cases(1)[0], reference=None), *made_cases(60)[1:]]
    with Upstream(says("yes")) as upstream:
        certificate = world.run(world.trial([endpoint("small", upstream.url)], cases))
    assert certificate.winner == "small"
    assert certificate.finding_of["small"].mean == 1.0


def judged(world: World, url: str, bar: Bar | None = None, **values: Any) -> Trial:
    tools = [endpoint("cheap", url), endpoint("dear", url)][: 2 if bar else 1]
    grade = GradeSettings("judge", tool="judge", criteria="polite")
    extra = [endpoint("judge", url)]
    return world.trial(tools, made_cases(60), bar, grade=grade, extra=extra, **values)


@pytest.mark.parametrize("bar", [None, Bar(within=0.3, of="dear")], ids=["absolute", "relative"])
@pytest.mark.parametrize("capture", [True, False])
def test_an_answer_whose_judge_was_down_is_judged_later_and_bought_again_only_without_capture(
    world: World, bar: Bar | None, *, capture: bool
) -> None:
    up = threading.Event()

    def down(asked: Asked) -> Fault | None:
        return None if up.is_set() or asked.model != "judge" else Fault("status", status=500)

    answers = {"cheap": "yes", "dear": "no", "judge": PASSED}
    with Upstream(by_model(answers), faults=down) as upstream:
        first = world.run(judged(world, upstream.url, bar, capture=capture))
        up.set()
        again = world.run(judged(world, upstream.url, bar, capture=capture))
    assert found(first, "cheap") == ("undecided", "broken", 0)
    assert again.winner == "cheap"
    bought = [times for (model, _), times in upstream.prompts.items() if model != "judge"]
    assert max(bought) == (1 if capture else 2)


def test_an_answer_without_a_verdict_counts_as_wrong_where_answers_are_compared(
    world: World,
) -> None:
    def answer(body: Mapping[str, Any]) -> str:
        last = str(body["messages"][-1]["content"])
        if body["model"] == "judge":
            return "hm" if 'question 3"' in last and "cheap" in last else PASSED
        return str(body["model"])

    with Upstream(answer) as upstream:
        certificate = world.run(judged(world, upstream.url, Bar(within=0.3, of="dear")))
    finding = certificate.finding_of["cheap"]
    assert finding.mean == pytest.approx(-1 / finding.n)
    assert "answers that could not be graded, and count as wrong: 1" in certificate.warnings


def test_a_judge_without_its_key_ends_the_trial_with_a_word_on_it(world: World) -> None:
    with Upstream(says("yes")) as upstream:
        trial = judged(world, upstream.url)
        locked = endpoint("judge", upstream.url, key_env="NO_SUCH_KEY")
        vars(trial.grader)["tool"] = locked
        certificate = world.run(trial)
    assert found(certificate, "cheap") == ("undecided", "broken", 0)
    assert "NO_SUCH_KEY" in certificate.finding_of["cheap"].note


def test_a_judge_is_asked_within_a_trial_only() -> None:
    judge = endpoint("judge", "http://127.0.0.1:1/v1")
    with pytest.raises(ClearbarError, match="no trial is running"):
        asyncio.run(RecordedJudge().ask(judge, Request("?")))
