"""Trials run against a real endpoint: what is asked, recorded, paid, and what comes out."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from tests.tools.upstream import Fault, Upstream
from tests.trial.running import World, by_model, endpoint, found, made_cases, says, settled

from clearbar.core.errors import ClearbarError, LedgerError
from clearbar.own.workflow import Bar
from clearbar.tools.rates import Rates
from clearbar.tools.tool import NoPrice, Request, TokenPrice, Tool
from clearbar.trial.certifying.certificate import STOPPED, is_complete
from clearbar.trial.identity import trial_key
from clearbar.trial.plan import may_be_given
from clearbar.trial.race.race import Race
from clearbar.trial.race.race_plan import Candidate, Parts
from clearbar.trial.running.call_record import SELF_HOSTED, biller_of
from clearbar.trial.running.ceiling import Pricing, has_output_limit
from clearbar.trial.running.evidence import claim, now
from clearbar.trial.running.pace import BROKEN_AFTER, TRIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.tools.upstream_bodies import Asked

    from clearbar.trial.trial import Certificate

PASSED = '{"verdict": "pass"}'


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path)) as made:
        yield made


def test_the_cheapest_tool_that_clears_the_bar_wins(world: World) -> None:
    with Upstream(by_model({"bad": "no", "good": "yes", "best": "yes"})) as upstream:
        tools = [endpoint(name, upstream.url) for name in ("bad", "good", "best")]
        certificate = world.run(world.trial(tools, made_cases(60)))
    assert certificate.winner == "good"
    assert found(certificate, "bad")[:2] == ("fails", "evidence")
    assert found(certificate, "best") == ("undecided", "dearer", 0)
    assert upstream.models["best"] == 0


def test_every_call_is_an_attempt_with_an_end(world: World) -> None:
    with Upstream(says("yes")) as upstream:
        certificate = world.run(world.trial([endpoint("small", upstream.url)], made_cases(60)))
    assert world.ends() == ["answered"] * len(upstream.asked)
    assert certificate.calls == len(upstream.asked)


def test_a_decided_trial_that_is_run_again_asks_nothing_and_says_the_same(world: World) -> None:
    with Upstream(says("yes")) as upstream:
        tools = [endpoint("small", upstream.url)]
        first = world.run(world.trial(tools, made_cases(60)))
        asked = len(upstream.asked)
        again = world.run(world.trial(tools, made_cases(60)))
    assert len(upstream.asked) == asked
    assert replace(again, decided_at=first.decided_at) == first


def test_another_trial_of_the_same_cases_buys_no_answer_twice(world: World) -> None:
    with Upstream(says("yes")) as upstream:
        tools = [endpoint("small", upstream.url)]
        first = world.run(world.trial(tools, made_cases(60), Bar(at_least=0.8)))
        higher = world.run(world.trial(tools, made_cases(60), Bar(at_least=0.9)))
    assert max(upstream.prompts.values()) == 1
    assert higher.finding_of["small"].n > first.finding_of["small"].n
    assert first.calls + higher.calls == len(upstream.asked)


def test_a_new_price_makes_no_answer_bought_again(world: World) -> None:
    with Upstream(says("yes")) as upstream:
        tool = endpoint("small", upstream.url)
        world.run(world.trial([tool], made_cases(60)))
        asked = len(upstream.asked)
        cheaper = replace(tool, cost=TokenPrice(Decimal("0.5"), Decimal(1)))
        again = world.run(world.trial([cheaper], made_cases(60)))
    assert len(upstream.asked) == asked
    assert again.calls == 0


def test_slower_answers_change_nothing_in_the_findings(tmp_path: Path) -> None:
    def right(body: Mapping[str, Any]) -> str:
        number = int(str(body["messages"][-1]["content"]).split()[-1])
        return "yes" if number % 9 else "no"

    ends = []
    for place, faults in enumerate(({}, {n: Fault("delay", 0.03) for n in range(1, 200, 3)})):
        folder = tmp_path / str(place)
        folder.mkdir()
        with Upstream(right, faults=faults) as upstream, closing(World(folder)) as world:
            tools = [
                replace(endpoint(name, "http://x/v1"), url=upstream.url) for name in ("a", "b")
            ]
            trial = world.trial(tools, made_cases(80))
            digests = dict.fromkeys(trial.digests, "same") | {"b": "other"}
            same = replace(trial.identity, tools=digests)
            ends.append(settled(world.run(replace(trial, digests=digests, identity=same))))
    assert ends[0] == ends[1]


def test_a_busy_endpoint_is_asked_again_no_sooner_than_it_says(world: World) -> None:
    faults = {2: Fault("status", status=429, headers={"retry-after": "7"})}
    with Upstream(says("yes"), faults=faults) as upstream:
        certificate = world.run(world.trial([endpoint("small", upstream.url)], made_cases(40)))
    assert certificate.winner == "small"
    assert max(world.slept) >= 7
    assert world.ends().count("failed") == 1


def test_what_fails_now_and_then_is_asked_again_and_answers(world: World) -> None:
    kinds: list[Any] = ["reset", "garbage", "truncated", "status", "wrong_type", "error_body"]
    faults = {3 * at + 2: Fault(kind) for at, kind in enumerate(kinds)}
    with Upstream(says("yes"), faults=faults) as upstream:
        certificate = world.run(world.trial([endpoint("small", upstream.url)], made_cases(40)))
    assert certificate.winner == "small"


def test_a_case_without_an_answer_scores_zero_and_is_not_asked_in_the_next_run(
    world: World,
) -> None:
    def silent_on_four(asked: Asked) -> Fault | None:
        return Fault("status", status=503) if asked.prompt == "question 4" else None

    with Upstream(says("yes"), faults=silent_on_four) as upstream:
        tools = [endpoint("small", upstream.url)]
        first = world.run(world.trial(tools, made_cases(60)))
        again = world.run(world.trial(tools, made_cases(60)))
    mean, n = first.finding_of["small"].mean, first.finding_of["small"].n
    assert mean is not None
    assert mean * n == pytest.approx(n - 1)
    assert upstream.prompts["small", "question 4"] == TRIES
    assert settled(again) == settled(first)


def test_a_tool_that_is_down_is_broken_and_the_others_go_on(world: World) -> None:
    def down(asked: Asked) -> Fault | None:
        return Fault("status", status=503) if asked.model == "down" else None

    with Upstream(says("yes"), faults=down) as upstream:
        tools = [endpoint("down", upstream.url), endpoint("up", upstream.url)]
        certificate = world.run(world.trial(tools, made_cases(60)))
    assert certificate.winner == "up"
    assert found(certificate, "down") == ("undecided", "broken", 0)
    note = certificate.finding_of["down"].note
    assert "cases in a row without an answer" in note
    assert int(note.split()[0]) >= BROKEN_AFTER
    assert "503" in note


def test_what_was_broken_is_asked_again_by_the_next_run(world: World) -> None:
    up = threading.Event()

    def down(_: Asked) -> Fault | None:
        return None if up.is_set() else Fault("status", status=500)

    with Upstream(says("yes"), faults=down) as upstream:
        tools = [endpoint("small", upstream.url)]
        first = world.run(world.trial(tools, made_cases(60)))
        up.set()
        again = world.run(world.trial(tools, made_cases(60)))
    assert found(first, "small") == ("undecided", "broken", 0)
    assert again.finding_of["small"].mean == 1.0
    assert again.winner == "small"


def test_a_tool_without_its_key_is_broken_and_the_others_go_on(world: World) -> None:
    with Upstream(says("yes")) as upstream:
        tools = [
            endpoint("locked", upstream.url, key_env="NO_SUCH_KEY"),
            endpoint("open", upstream.url),
        ]
        certificate = world.run(world.trial(tools, made_cases(60)))
    assert certificate.winner == "open"
    assert "NO_SUCH_KEY" in certificate.finding_of["locked"].note
    assert certificate.finding_of["locked"].spent_usd == 0


def test_a_budget_is_never_exceeded(world: World) -> None:
    with Upstream(says("yes")) as upstream:
        tools, limit = [endpoint("small", upstream.url)], Decimal("0.0001")
        certificate = world.run(world.trial(tools, made_cases(60), max_usd=limit))
    assert found(certificate, "small")[:2] == ("undecided", "budget")
    assert 0 < certificate.spent_usd <= limit
    assert "of the budget is left" in certificate.finding_of["small"].note


def test_a_budget_says_what_it_cannot_promise(world: World) -> None:
    with Upstream(says("yes")) as upstream:
        tool = endpoint("small", upstream.url, settings={})
        certificate = world.run(world.trial([tool], made_cases(60), max_usd=Decimal(1)))
    [warning] = certificate.warnings
    assert "small names no max_tokens" in warning


def test_what_an_earlier_run_spent_counts_against_the_budget(world: World) -> None:
    with Upstream(says("yes")) as upstream:
        tools, limit = [endpoint("small", upstream.url)], Decimal("0.0001")
        ends = [world.run(world.trial(tools, made_cases(60), max_usd=limit)) for _ in range(3)]
    assert ends[-1].spent_usd <= limit
    assert ends[0].calls == ends[-1].calls


def test_a_tool_without_a_price_fits_under_no_budget_and_is_named(world: World) -> None:
    with Upstream(says("yes")) as upstream:
        unknown = endpoint("unknown", upstream.url, cost=TokenPrice())
        tools = [unknown, endpoint("priced", upstream.url)]
        trial = world.trial(tools, made_cases(60), max_usd=Decimal(1), prices={"unknown": None})
        certificate = world.run(trial)
    assert certificate.winner == "priced"
    assert upstream.models["unknown"] == 0


def test_a_tool_without_a_price_is_asked_where_there_is_no_budget(world: World) -> None:
    with Upstream(says("yes")) as upstream:
        unknown = endpoint("unknown", upstream.url, cost=TokenPrice())
        certificate = world.run(world.trial([unknown], made_cases(60)))
    assert certificate.winner == "unknown"
    assert certificate.finding_of["unknown"].spent_unpriced_calls == len(upstream.asked)
    assert any("not known" in each for each in certificate.warnings)


def test_no_more_calls_run_at_a_time_than_a_tool_and_the_trial_allow(world: World) -> None:
    with Upstream(says("yes"), seconds=0.01) as upstream:
        tools = [endpoint("small", upstream.url, concurrency=3)]
        world.run(world.trial(tools, made_cases(30)))
        assert upstream.most_at_once == 3
    with Upstream(says("yes"), seconds=0.01) as upstream:
        tools = [endpoint("other", upstream.url, concurrency=9)]
        world.run(world.trial(tools, made_cases(30), concurrency=2))
        assert upstream.most_at_once == 2


def test_requests_are_spread_over_the_minute(world: World) -> None:
    with Upstream(says("yes")) as upstream:
        tools = [endpoint("small", upstream.url, requests_per_minute=600)]
        world.run(world.trial(tools, made_cases(60), Bar(at_least=0.8)))
    assert len([seconds for seconds in world.slept if seconds > 0.05]) > 10


def test_the_trial_of_a_workflow_runs_once_at_a_time(world: World) -> None:
    trial = world.trial([endpoint("small", "http://127.0.0.1:1/v1")], made_cases(5))
    with claim(world.folder, "letters"), pytest.raises(ClearbarError, match="another process"):
        world.run(trial)


def test_calls_that_a_dead_process_left_open_are_lost_and_made_again(world: World) -> None:
    with Upstream(says("yes")) as upstream:
        tools = [endpoint("small", upstream.url)]
        world.run(world.trial(tools, made_cases(60)))
        opened = world.store.rows("SELECT * FROM attempt LIMIT 1")[0]
        with world.store.transaction() as connection:
            copy = ("dead", *opened[1:])
            marks = ", ".join("?" * len(copy))
            connection.execute(f"INSERT INTO attempt VALUES ({marks})", copy)  # noqa: S608
        again = world.run(world.trial(tools, made_cases(60)))
    assert world.ends().count("lost") == 1
    assert again.finding_of["small"].spent_unpriced_calls == 1
    assert any("1 call lost in flight" in each for each in again.warnings)


@pytest.fixture
def heeding_interrupts() -> Iterator[None]:
    """Heed SIGINT, as a program in the foreground does: whoever runs the tests may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeding_interrupts")
def test_stopped_by_hand_it_says_what_is_known_and_goes_on_the_next_time(world: World) -> None:
    answers, has_stopped = count(), threading.Event()

    def interrupted(_: Mapping[str, Any]) -> str:
        number = next(answers)
        if number == 8:
            os.kill(os.getpid(), signal.SIGINT)
        if number >= 8:
            has_stopped.wait(0.3)
        return "yes"

    with Upstream(interrupted) as upstream:
        tools = [endpoint("small", upstream.url, concurrency=2)]
        stopped = world.run(world.trial(tools, made_cases(60), Bar(at_least=0.8)))
        has_stopped.set()
        ended = world.run(world.trial(tools, made_cases(60), Bar(at_least=0.8)))
    assert STOPPED in stopped.warnings
    assert not is_complete(stopped)
    assert 0 < stopped.finding_of["small"].n < ended.finding_of["small"].n
    assert "open" not in world.ends()
    assert is_complete(ended)
    assert ended.winner == "small"
    assert len(upstream.asked) - len(upstream.prompts) <= world.ends().count("lost")


def test_progress_tells_how_each_tool_stands_and_ends(world: World) -> None:
    with Upstream(by_model({"bad": "no", "good": "yes"})) as upstream:
        tools = [endpoint(name, upstream.url) for name in ("bad", "good")]
        world.run(world.trial(tools, made_cases(60)))
    last = {each.tool: each for each in world.seen}
    assert (last["bad"].outcome, last["good"].outcome) == ("fails", "clears")
    assert last["good"].log_for >= last["good"].log_for_needed
    assert last["good"].spent_usd > 0


def test_a_relative_bar_asks_both_tools_the_same_cases(world: World) -> None:
    with Upstream(says("yes")) as upstream:
        tools = [endpoint("cheap", upstream.url), endpoint("dear", upstream.url)]
        certificate = world.run(world.trial(tools, made_cases(80), Bar(within=0.1, of="dear")))
    assert certificate.winner == "cheap"
    assert certificate.incumbent == "dear"
    asked = {model: {p for m, p in upstream.prompts if m == model} for model in upstream.models}
    assert len(asked["cheap"] & asked["dear"]) >= certificate.finding_of["cheap"].n


def test_a_logged_answer_is_graded_and_not_bought(world: World) -> None:
    with Upstream(says("yes")) as upstream:
        cases = [replace(case, answers={"small": "yes"}) for case in made_cases(60)]
        certificate = world.run(world.trial([endpoint("small", upstream.url)], cases))
    assert certificate.winner == "small"
    assert (certificate.calls, len(upstream.asked)) == (0, 0)


def test_rules_are_computed_and_leave_no_attempts(world: World) -> None:
    rules = '[[rule]]\nregex = "question"\nanswer = "yes"\n'
    (world.folder / "letters.toml").write_text(rules)
    tool = Tool("rules", "rules", tier="none", cost=NoPrice("computed here"), file="letters.toml")
    certificate = world.run(world.trial([tool], made_cases(60)))
    assert certificate.winner == "rules"
    assert (certificate.calls, world.ends()) == (0, [])


def test_a_tool_whose_file_is_not_there_is_broken(world: World) -> None:
    tool = Tool("rules", "rules", tier="none", cost=NoPrice("computed here"), file="none.toml")
    certificate = world.run(world.trial([tool], made_cases(60)))
    assert found(certificate, "rules")[:2] == ("undecided", "broken")


def test_a_store_that_cannot_be_written_ends_the_trial(world: World) -> None:
    with Upstream(says("yes")) as upstream:
        trial = world.trial([endpoint("small", upstream.url)], made_cases(30))
        world.store._connection.execute("DROP TABLE captured_answer")
        world.store._connection.execute("DROP TABLE attempt_end")
        with pytest.raises(LedgerError):
            world.run(trial)


def test_a_cascade_asks_its_parts_and_the_dear_one_only_where_it_has_to(world: World) -> None:
    def answer(body: Mapping[str, Any]) -> str:
        number = int(str(body["messages"][-1]["content"]).split()[-1])
        return "no" if body["model"] == "first" and number % 5 == 0 else "yes"

    with Upstream(answer) as upstream:
        tools = [endpoint(name, upstream.url) for name in ("first", "second", "dear")]
        cascade = Tool("both", "cascade", first="first", then="dear", agree_with=("second",))
        trial = world.trial(tools, made_cases(120), Bar(at_least=0.9), extra=[cascade])
        parts = Parts(
            "first", "dear", ("second",), (1.0,) * 40 + (0.0,) * 10, Decimal("0.002"),
            Decimal("0.003"),
        )  # fmt: skip
        candidates = (Candidate("both", "small", None, parts),)
        plan = replace(trial.race.plan, candidates=candidates)
        certificate = world.run(replace(trial, race=Race(plan)))
    finding = certificate.finding_of["both"]
    assert finding.outcome == "clears"
    assert 0 < upstream.models["dear"] < upstream.models["first"]


def test_a_tool_that_reports_no_tokens_and_declares_no_price_has_no_ceiling(world: World) -> None:
    pricing, at = Pricing(Rates(world.book)), now()
    program = Tool("program", "command", command=("cat",))
    assert pricing.ceiling(program, Request("text"), at) is None
    free = replace(program, cost=NoPrice("ours"))
    assert pricing.ceiling(free, Request("text"), at) == 0
    assert biller_of(free) == SELF_HOSTED
    assert has_output_limit(program)


def test_the_ceiling_of_a_call_holds_its_longest_answer(world: World) -> None:
    pricing, at = Pricing(Rates(world.book)), now()
    short = endpoint("small", "http://127.0.0.1:1/v1")
    open_ended = replace(short, settings={})
    anthropic = replace(open_ended, kind="anthropic")
    tools = (short, open_ended, anthropic)
    assert [has_output_limit(each) for each in tools] == [True, False, True]
    limited, assumed = (pricing.ceiling(each, Request("text"), at) for each in (short, open_ended))
    assert limited == Decimal(4 + 64) / 10**6 + Decimal(8 * 2) / 10**6
    assert assumed == limited + Decimal((4096 - 8) * 2) / 10**6


def test_restricted_data_goes_to_no_tool_of_a_lower_class() -> None:
    allowed = [
        may_be_given(endpoint("small", "http://x/v1", data_class=tool), data)  # type: ignore[arg-type]
        for tool, data in (
            ("public", "internal"),
            ("internal", "restricted"),
            ("internal", "public"),
        )
    ]
    assert allowed == [False, False, True]


def test_the_same_trial_has_the_same_key_and_another_bar_another(world: World) -> None:
    tools, cases = [endpoint("small", "http://x/v1")], made_cases(30)
    one, same = (trial_key(world.trial(tools, cases).identity) for _ in range(2))
    other = trial_key(world.trial(tools, cases, Bar(at_least=0.9)).identity)
    assert one == same != other


def test_a_run_may_be_cancelled_while_it_waits(world: World) -> None:
    async def cancelled() -> Certificate:
        task = asyncio.create_task(world.running(world.trial([tool], made_cases(30))))
        await asyncio.sleep(0.1)
        task.cancel()
        return await task

    def hang(_: Asked) -> Fault:
        return Fault("hang")

    with Upstream(says("yes"), faults=hang) as upstream, pytest.MonkeyPatch.context() as patch:
        patch.setattr("clearbar.trial.running.run.STOP_GRACE_S", 0.05)
        tool = endpoint("small", upstream.url)
        certificate = asyncio.run(cancelled())
    assert STOPPED in certificate.warnings
    assert set(world.ends()) == {"lost"}
