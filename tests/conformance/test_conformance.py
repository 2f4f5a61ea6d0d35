"""Clearbar against every case, by its public command line."""

from __future__ import annotations

import importlib.util
import tomllib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from tests.conformance.case import CASES, METERS, Case, Step, cases
from tests.conformance.run import ADAPTERS, adapter
from tests.conformance.tool import Tool, verdict

from clearbar.cli.main import cli

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conformance.score import Abilities

ALL = cases()


def _marked(case: Case) -> Any:
    killed = any(step.kill_after_s for step in case.steps)
    return pytest.param(case, id=case.name, marks=[pytest.mark.slow] if killed else [])


@pytest.fixture(scope="module")
def clearbar() -> Tool:
    spec = importlib.util.spec_from_file_location("clearbar_adapter", ADAPTERS / "clearbar.py")
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    def run(words: list[str]) -> str:
        done = CliRunner().invoke(cli, words, catch_exceptions=False)
        assert not done.exit_code, done.output
        return done.stdout

    def answer(_: Case, step: Step, state: Path) -> dict[str, Any]:
        nothing = state / "nothing.toml"
        nothing.touch()
        files = [str(path) for path in step.files]
        told: dict[str, Any] = script.answer(run, step.declared or nothing, state, files)
        return told

    return Tool("clearbar", adapter("clearbar").abilities, answer)


@pytest.mark.parametrize("case", [_marked(case) for case in ALL])
def test_clearbar_is_right(case: Case, clearbar: Tool) -> None:
    killed = any(step.kill_after_s for step in case.steps)
    found = verdict(adapter("clearbar") if killed else clearbar, case)
    assert found.outcome == "passed", "\n".join(found.why)


def test_every_class_of_failure_has_a_case() -> None:
    classes = tomllib.loads(CASES.with_name("classes.toml").read_text())["classes"]
    assert sorted({case.kind for case in ALL}) == sorted(classes)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in ALL])
def test_the_arithmetic_of_a_case_adds_up(case: Case) -> None:
    for step in case.steps:
        for charge in step.charges:
            known = [line for line in charge.lines if line.usd != "unknown"]
            for line in known:
                if line.usd_per_million:
                    product = Decimal(line.quantity) * Decimal(line.usd_per_million) / 1_000_000
                    assert product == Decimal(line.usd)
            if charge.cost_usd is not None:
                assert sum(Decimal(line.usd) for line in known) == Decimal(charge.cost_usd)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in ALL])
def test_the_totals_of_a_case_are_the_sums_of_its_charges(case: Case) -> None:
    for step in case.steps:
        if step.expected is None:
            continue
        known = [Decimal(one.cost_usd) for one in step.charges if one.cost_usd is not None]
        unknown = [one.calls for one in step.charges if one.cost_usd is None]
        tokens = {meter: sum(one.tokens[meter] for one in step.charges) for meter in METERS}
        assert step.expected.calls == sum(one.calls for one in step.charges)
        assert step.expected.tokens == tokens
        assert step.expected.unpriced_calls == sum(unknown)
        total = step.expected.cost_usd
        assert (None if total is None else Decimal(total)) == (sum(known) if known else None)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in ALL])
def test_a_case_says_what_goes_wrong_and_where_it_was_seen(case: Case) -> None:
    told = (case.title, case.wrong, case.convention, case.arithmetic, *case.seen, *case.formats)
    assert all(text.strip() for text in told)
    assert case.seen
    assert case.formats
    assert case.asks in {"reading", "pricing"}
    assert case.decides
    assert set(case.decides) <= {"calls", "tokens", "cost_usd"}


def test_no_case_is_beyond_the_tool_that_ships_it(clearbar: Tool) -> None:
    able: Abilities = clearbar.abilities
    assert {name for case in ALL for name in case.formats} <= able.reads
    assert {name for case in ALL for name in case.needs} <= able.needs
