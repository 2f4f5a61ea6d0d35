"""Trials whose judge people correct: which answers they look at, and what may be said then."""

from __future__ import annotations

import asyncio
import math
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from tests.tools.upstream import Fault, Upstream
from tests.trial.running import World, endpoint, found, made_cases, settled

from clearbar.own.workflow import Bar
from clearbar.tools.call import Caller
from clearbar.trial.attempts import HeldGrade, Label
from clearbar.trial.certifying.certificate import LABELS_WANTED, is_complete
from clearbar.trial.grading.grade_settings import GradeSettings
from clearbar.trial.grading.labelling import Labelling, LabelRule
from clearbar.trial.identity import answer_digest, question_digest
from clearbar.trial.proof.judge import JUDGE_IS_THE_TRUTH, Correction
from clearbar.trial.race.race import Race
from clearbar.trial.race.race_findings import findings
from clearbar.trial.race.race_plan import Ask, Candidate, Graded, RacePlan
from clearbar.trial.running.evidence import now
from clearbar.trial.running.labels_wanted import labels_wanted
from clearbar.trial.trial import Case, Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.tools.upstream_bodies import Asked

    from clearbar.trial.running.labels_wanted import Unlabelled
    from clearbar.trial.running.runnable import Trial
    from clearbar.trial.trial import Certificate

SHARE = Decimal("0.4")
JUDGE = GradeSettings("judge", tool="judge", criteria="polite", label_share=SHARE)
TRUSTED = GradeSettings("judge", tool="judge", criteria="polite")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path)) as made:
        yield made


def answers(body: Mapping[str, Any]) -> str:
    """Tools answer their name with the number of the case; the judge flags numbers ending in 3."""
    last = str(body["messages"][-1]["content"])
    if body["model"] == "judge":
        return '{"verdict": "%s"}' % ("fail" if '3"' in last else "pass")
    return f"{body['model']} {last.rsplit(maxsplit=1)[-1]}"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(answers) as server:
        yield server


def trial_of(
    world: World, url: str, bar: Bar | None = None, grade: GradeSettings = JUDGE, **values: Any
) -> Trial:
    tools = [endpoint("cheap", url), endpoint("dear", url)][: 2 if bar and bar.of else 1]
    extra = [endpoint("judge", url)]
    told = {"capture": True} | values
    return world.trial(tools, made_cases(160), bar, grade=grade, extra=extra, **told)


def wanted(world: World, trial: Trial) -> list[Unlabelled]:
    async def ask() -> list[Unlabelled]:
        async with Caller(world.folder, {}) as caller:
            return await labels_wanted(trial, caller, world.evidence)

    return asyncio.run(ask())


def say(world: World, cases: list[Unlabelled], score: Callable[[str], float]) -> int:
    labels = [
        Label("letters", each.case, answer, score(text), "lead@example.com", now())
        for each in cases
        for answer, text in each.answers.items()
    ]
    for label in labels:
        world.evidence.label(label)
    return len(labels)


def to_the_end(
    world: World, again: Callable[[], Trial], score: Callable[[str], float]
) -> tuple[Certificate, int]:
    """Run, label what is wanted, and so on until it is decided; return the labels given too."""
    given = 0
    for _ in range(20):
        certificate = world.run(again())
        if is_complete(certificate):
            return certificate, given
        said = say(world, wanted(world, again()), score)
        assert said, "it waits for labels that nobody is asked for"
        given += said
    raise AssertionError("it never ends")


def test_a_trial_waits_for_labels_of_just_the_answers_that_the_rule_picks(
    world: World, upstream: Upstream
) -> None:
    waiting = world.run(trial_of(world, upstream.url))
    assert LABELS_WANTED in waiting.warnings
    open_cases = wanted(world, trial_of(world, upstream.url))
    trial = trial_of(world, upstream.url)
    rule = LabelRule(trial.identity.seed, float(SHARE))
    picked = set()
    for ask, times in upstream.prompts.items():
        if ask[0] == "cheap":
            assert times == 1
    for case in trial.cases:
        text = f"cheap {case.input.rsplit(maxsplit=1)[-1]}"
        flagged = text.endswith("3")
        if rule.wants(question_digest(case), answer_digest(text), flagged=flagged):
            picked.add(question_digest(case))
    assert {each.case for each in open_cases} <= picked
    assert len(open_cases) >= 40


def test_labels_decide_it_and_no_call_is_made_twice(world: World, upstream: Upstream) -> None:
    certificate, given = to_the_end(world, lambda: trial_of(world, upstream.url), lambda _: 1.0)
    assert found(certificate, "cheap")[:2] == ("clears", "evidence")
    finding = certificate.finding_of["cheap"]
    assert 0 < finding.labels <= given
    assert finding.mean == pytest.approx(1)
    assert max(upstream.prompts.values()) == 1
    assert JUDGE_IS_THE_TRUTH not in certificate.warnings


def test_what_people_say_counts_and_not_what_the_judge_says(
    world: World, upstream: Upstream
) -> None:
    # The judge passes nine of ten; people find all of them wrong.
    certificate, _ = to_the_end(
        world, lambda: trial_of(world, upstream.url, Bar(at_least=0.7)), lambda _: 0.0
    )
    assert certificate.winner is None
    assert found(certificate, "cheap")[0] == "fails"


def test_of_a_relative_bar_people_see_only_picked_answers_that_differ(
    world: World, upstream: Upstream
) -> None:
    bar = Bar(within=0.2, of="dear")
    certificate, given = to_the_end(
        world, lambda: trial_of(world, upstream.url, bar), lambda _: 1.0
    )
    assert certificate.winner == "cheap"
    assert certificate.finding_of["cheap"].mean == pytest.approx(0)
    judged = upstream.models["judge"]
    assert 0 < given < 0.7 * judged


def test_a_run_that_goes_on_ends_as_one_that_never_waited(
    world: World, tmp_path_factory: pytest.TempPathFactory, upstream: Upstream
) -> None:
    stopped, _ = to_the_end(world, lambda: trial_of(world, upstream.url), lambda _: 1.0)
    with closing(World(tmp_path_factory.mktemp("other"))) as other:
        for case in made_cases(160):
            text = f"cheap {case.input.rsplit(maxsplit=1)[-1]}"
            each = Label("letters", question_digest(case), answer_digest(text), 1.0, "a@b.c", now())
            other.evidence.label(each)
        straight = other.run(trial_of(other, upstream.url))
    assert settled(straight) == settled(stopped)


def test_labels_do_not_change_a_verdict_that_is_declared_the_truth(
    world: World, upstream: Upstream
) -> None:
    for case in made_cases(160):
        text = f"cheap {case.input.rsplit(maxsplit=1)[-1]}"
        score = 1.0 if text.endswith("3") else 0.5
        each = Label("letters", question_digest(case), answer_digest(text), score, "a@b.c", now())
        world.evidence.label(each)
    certificate = world.run(trial_of(world, upstream.url, grade=TRUSTED))
    finding = certificate.finding_of["cheap"]
    flagged = (1 - (finding.mean or 0)) * finding.n
    assert flagged == pytest.approx(round(flagged))
    assert finding.labels == 0
    assert wanted(world, trial_of(world, upstream.url, grade=TRUSTED)) == []


def test_verdicts_that_were_bought_serve_every_share(world: World, upstream: Upstream) -> None:
    world.run(trial_of(world, upstream.url, grade=TRUSTED))
    before = upstream.models["judge"]
    assert LABELS_WANTED in world.run(trial_of(world, upstream.url)).warnings
    assert max(upstream.prompts.values()) == 1
    assert upstream.models["judge"] > before


def test_answers_without_texts_are_all_asked_anew_not_only_where_a_person_has_to_look(
    world: World, upstream: Upstream
) -> None:
    world.run(trial_of(world, upstream.url, grade=TRUSTED, capture=False))
    first = {ask for ask in upstream.prompts if ask[0] == "cheap"}
    to_the_end(world, lambda: trial_of(world, upstream.url), lambda _: 1.0)
    again = {ask for ask, times in upstream.prompts.items() if ask[0] == "cheap" and times == 2}
    assert first
    assert again == first


def test_after_fifty_labels_it_says_whether_the_judge_is_worth_its_price(
    world: World, upstream: Upstream
) -> None:
    agree, _ = to_the_end(
        world,
        lambda: trial_of(world, upstream.url, Bar(at_least=0.83)),
        lambda text: float(not text.endswith("3")),
    )
    assert agree.finding_of["cheap"].labels >= 50
    assert any("the judge saves labels" in said for said in agree.warnings)


def test_a_trial_without_a_label_says_nothing_of_the_judge(
    world: World, upstream: Upstream
) -> None:
    certificate = world.run(trial_of(world, upstream.url))
    assert not any("rho" in said or "tell yet" in said for said in certificate.warnings)


def test_a_case_without_an_answer_does_not_keep_people_from_labelling_the_others(
    world: World,
) -> None:
    def refuses(asked: Asked) -> Fault | None:
        question = str(asked.body["messages"][-1]["content"])
        return Fault("status", status=400) if question == "question 5" else None

    with Upstream(answers, faults=refuses) as server:
        certificate, _ = to_the_end(
            world, lambda: trial_of(world, server.url, Bar(at_least=0.7)), lambda _: 1.0
        )
    finding = certificate.finding_of["cheap"]
    assert finding.outcome == "clears"
    assert finding.mean == pytest.approx(1 - 1 / finding.n)


def race_of(bar: Bar, share: float | None = 0.4, **values: Any) -> Race:
    tools = Candidate("cheap", "small", Decimal(1)), Candidate("dear", "small", Decimal(2))
    error = values.pop("error", Error(0.05, 0.1))
    candidates = tools if bar.of else tools[:1]
    return Race(RacePlan(candidates, bar, error, 300, binary=False, judge_share=share, **values))


def test_a_missing_answer_is_one_that_people_find_wrong() -> None:
    race = race_of(Bar(at_least=0.5))
    for index in range(20):
        race.give(Ask("cheap", index), Graded(None, None, failed=True))
    [finding] = findings(race)
    assert finding.mean == pytest.approx(0)


def test_a_missing_answer_of_the_tool_in_use_counts_as_right() -> None:
    race = race_of(Bar(within=0.1, of="dear"))
    for index in range(10):
        race.give(Ask("cheap", index), Graded(None, None, failed=True))
        race.give(Ask("dear", index), Graded(None, None, failed=True))
    assert findings(race)[0].mean == pytest.approx(-1)


def test_scores_that_labels_correct_are_never_binary() -> None:
    tool = Candidate("cheap", "small", Decimal(1))
    with pytest.raises(ValueError, match="not binary"):
        RacePlan((tool,), Bar(at_least=0.5), Error(0.05, 0.1), 9, binary=True, judge_share=0.5)


def test_a_small_share_needs_more_cases_and_too_few_are_never_begun() -> None:
    def least(share: float | None) -> int:
        race, count = race_of(Bar(at_least=0.9), share), 0
        while not race.finished:
            race.give(Ask("cheap", count), Graded(1.0, None))
            count += 1
        return count

    assert least(None) < least(0.6) < least(0.4)
    assert race_of(Bar(at_least=0.9), 0.05).finished


class People(NamedTuple):
    """How often answers are good, and how often the judge passes the good and flags the bad."""

    good: float
    passes_good: float
    flags_bad: float


class Desk:
    """A judge, and people who have labelled everything; scores go the way of a run."""

    def __init__(self, seed: int, share: float) -> None:
        self._random = np.random.default_rng(seed)
        self._labels: dict[tuple[str, str], Label] = {}
        self._labelling = Labelling(self._labels, LabelRule(seed, share))

    def graded(self, ask: Ask, people: People) -> Graded:
        good = bool(self._random.random() < people.good)
        knows = people.passes_good if good else people.flags_bad
        passed = bool(self._random.random() < knows) == good
        case, answer = Case(str(ask.index), "?"), answer_digest(ask.tool)
        at, key = datetime(2026, 1, 1, tzinfo=UTC), (question_digest(case), answer)
        self._labels[key] = Label("letters", *key, float(good), "lead@example.com", at)
        held = HeldGrade("", ask.tool, float(passed), flagged=not passed)
        return Graded(self.score(case, answer, held), None, same_as=ask.tool)

    def score(self, case: Case, answer: str, held: HeldGrade) -> float | None:
        return self._labelling.counted(case, answer, held).grade.score


class NaiveDesk(Desk):
    """What is wrong: the labels of what the judge flagged stand in for its verdicts."""

    def score(self, case: Case, answer: str, held: HeldGrade) -> float | None:
        label = self._labels[question_digest(case), answer]
        return label.score if held.flagged else held.score


def certified(
    desk: Desk, bar: Bar, tools: Mapping[str, People], cases: int, share: float | None = 0.4
) -> bool:
    candidates = tuple(
        Candidate(name, "small", Decimal(place)) for place, name in enumerate(tools, 1)
    )
    error = Error(0.05, 0.1, futility=0.0)
    race = Race(RacePlan(candidates, bar, error, cases, binary=False, judge_share=share))
    while not race.finished:
        for ask in race.wanted(8):
            race.give(ask, desk.graded(ask, tools[ask.tool]))
    return race.winner == "cheap"


RUNS = 200
MOST = 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)
JUDGES = {
    "fair": (0.95, 0.8),
    "passes everything": (1.0, 0.0),
    "backwards": (0.1, 0.1),
    "strict": (0.6, 1.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("judge", JUDGES)
def test_a_biased_judge_certifies_a_tool_at_an_absolute_bar_at_most_at_the_stated_rate(
    judge: str,
) -> None:
    bar, tools = Bar(at_least=0.8), {"cheap": People(0.8, *JUDGES[judge])}
    wrong = sum(certified(Desk(seed, 0.4), bar, tools, 200) for seed in range(RUNS))
    assert wrong / RUNS <= MOST


@pytest.mark.slow
@pytest.mark.parametrize("judge", ["fair", "strict"])
def test_a_judge_biased_to_one_tool_certifies_a_lost_margin_at_most_at_the_stated_rate(
    judge: str,
) -> None:
    # The judge passes every answer of the cheap tool, and is as named of the other.
    tools = {"cheap": People(0.7, 1.0, 0.0), "dear": People(0.8, *JUDGES[judge])}
    bar = Bar(within=0.1, of="dear")
    wrong = sum(certified(Desk(seed, 0.4), bar, tools, 200) for seed in range(RUNS))
    assert wrong / RUNS <= MOST


@pytest.mark.slow
def test_labels_in_place_of_flags_alone_would_certify_it_nearly_always() -> None:
    tools = {"cheap": People(0.8, *JUDGES["passes everything"])}
    wrong = sum(
        certified(NaiveDesk(seed, 0.4), Bar(at_least=0.8), tools, 200, None) for seed in range(40)
    )
    assert wrong / 40 > 0.9


@pytest.mark.slow
def test_good_tools_are_found_through_a_fair_judge() -> None:
    fair = People(0.95, 0.97, 0.9)
    bars = {Bar(at_least=0.8): 38, Bar(within=0.1, of="dear"): 34}
    for bar, least in bars.items():
        tools = {"cheap": fair, "dear": fair} if bar.of else {"cheap": fair}
        assert sum(certified(Desk(seed, 0.4), bar, tools, 600) for seed in range(40)) >= least


def test_a_corrected_difference_has_the_mean_of_the_difference_of_labels() -> None:
    rule, correction = LabelRule(3, 0.4), Correction(0.4)
    count, total = 6000, 0.0
    for n in range(count):
        # The cheap tool is right in 7 of 10, the judge passes all of it; of the dear one all.
        cheap = rule.score(f"{n}", "cheap", float(n % 10 < 7), flagged=False)
        dear = rule.score(f"{n}", "dear", 1.0, flagged=n % 3 == 0)
        assert cheap is not None or rule.chosen(f"{n}", "cheap")
        total += (cheap or 0.0) - (dear or 0.0)
    assert correction.plain_difference(total / count) == pytest.approx(-0.3, abs=0.04)
