"""Trials against a real endpoint, small enough for tests: what they are made of and run with."""

from __future__ import annotations

import asyncio
import time as clock
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

from clearbar.core.store import Store
from clearbar.own.workflow import Bar, Metric, Workflow
from clearbar.spend.prices.book import PriceBook
from clearbar.tools.call import Caller
from clearbar.tools.digest import tool_digest
from clearbar.tools.rates import Rates
from clearbar.tools.tool import TokenPrice, Tool
from clearbar.trial.grading.declared_grader import make_grader
from clearbar.trial.grading.grade_settings import GradeSettings
from clearbar.trial.grading.labelling import certified
from clearbar.trial.identity import answering_digest, identity_of
from clearbar.trial.plan import TrialPlan
from clearbar.trial.race.race import Race
from clearbar.trial.race.race_plan import Candidate, RacePlan
from clearbar.trial.running.ceiling import Pricing
from clearbar.trial.running.evidence import Evidence
from clearbar.trial.running.judging import RecordedJudge
from clearbar.trial.running.purchase import Time
from clearbar.trial.running.run import run
from clearbar.trial.running.runnable import Means, Trial
from clearbar.trial.trial import Case, Error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from clearbar.trial.running.standing import Standing
    from clearbar.trial.trial import Certificate

OWN_RATES = TokenPrice(Decimal(1), Decimal(2))
FAST = GradeSettings("exact")


def made_cases(count: int, reference: str = "yes") -> tuple[Case, ...]:
    return tuple(Case(f"c{n}", f"question {n}", reference) for n in range(count))


def endpoint(name: str, url: str, **values: Any) -> Tool:
    given: dict[str, Any] = {
        "tier": "small",
        "cost": OWN_RATES,
        "model": name,
        "url": url,
        "settings": {"max_tokens": 8},
        "timeout_s": 5.0,
        "concurrency": 4,
    }
    return Tool(name, "openai", **(given | values))


async def no_wait(seconds: float) -> None:
    """Sleep, but not for long: tests have no patience."""
    await asyncio.sleep(min(seconds, 0.002))


@dataclass
class World:
    """A folder with a store, and trials that are run in it."""

    folder: Path
    seen: list[Standing] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = Store(self.folder / "facts.db")
        self.evidence = Evidence(self.store)
        self.book = PriceBook.open(self.folder / "prices")

    def close(self) -> None:
        self.store.close()

    def time(self, sleep: Callable[[float], Awaitable[None]] = no_wait) -> Time:
        async def slept(seconds: float) -> None:
            self.slept.append(seconds)
            await sleep(seconds)

        return Time(lambda: datetime.now(UTC), clock.monotonic, slept, Random(1))

    def trial(
        self,
        tools: Sequence[Tool],
        cases: Sequence[Case],
        bar: Bar | None = None,
        *,
        grade: GradeSettings = FAST,
        prices: Mapping[str, str | None] | None = None,
        error: Error | None = None,
        extra: Sequence[Tool] = (),
        race: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> Trial:
        bar = bar or Bar(at_least=0.5, text="right >= 0.5")
        workflow = Workflow("letters", metric=Metric("right", "letter", "cases"), bar=bar)
        judge = RecordedJudge() if grade.kind == "judge" else None
        every = {tool.name: tool for tool in (*tools, *extra)}
        grader = make_grader(grade, judge, self.folder, every)
        told = prices or {}
        candidates = tuple(
            Candidate(tool.name, tool.tier, _price(told.get(tool.name, f"0.00{place + 1}")))
            for place, tool in enumerate(tools)
        )
        rates = error or Error(0.05, 0.1)
        identity = identity_of(
            workflow,
            TrialPlan("letters", "cases.jsonl"),
            prompt=values.get("prompt", ""),
            grader=certified(grader.text, grade.label_share),
            tool_digests={tool.name: tool_digest(tool) for tool in tools},
            cases_digest=str(len(cases)),
            cases=len(cases),
            cases_from="cases.jsonl",
        )
        share = None if grade.label_share is None else float(grade.label_share)
        binary = grader.binary and share is None
        told_race = {"judge_share": share} | dict(race or {})
        plan = RacePlan(candidates, bar, rates, len(cases), binary, **told_race)
        return Trial(
            replace(identity, error=rates),
            Race(plan),
            cases,
            every,
            {tool.name: answering_digest(tool) for tool in every.values()},
            grader,
            judge=judge,
            graded_later=grade.kind in {"judge", "person"},
            **values,
        )

    def run(self, trial: Trial, **values: Any) -> Certificate:
        return asyncio.run(self.running(trial, **values))

    async def running(self, trial: Trial, time: Time | None = None) -> Certificate:
        async with Caller(self.folder, self.environment) as caller:
            return await run(trial, self.means(caller, time))

    def means(self, caller: Any, time: Time | None = None) -> Means:
        pricing = Pricing(Rates(self.book))
        given = time or self.time()
        return Means(caller, self.evidence, pricing, given, self.folder, self.seen.append)

    def ends(self) -> list[str]:
        """Return how the attempts ended, in the order of their beginning; `open` without an end."""
        found = self.store.rows(
            "SELECT coalesce(ended, 'open') FROM attempt LEFT JOIN attempt_end USING (attempt_id)"
            " ORDER BY started_at"
        )
        return [str(ended) for [ended] in found]


def _price(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def says(text: str) -> Any:
    return lambda _: text


def by_model(answers: Mapping[str, str]) -> Any:
    return lambda body: answers[str(body["model"])]


def found(certificate: Certificate, tool: str) -> tuple[str, str, int]:
    finding = certificate.finding_of[tool]
    return finding.outcome, finding.reason, finding.n


def without_time(certificate: Certificate) -> Certificate:
    findings = tuple(
        replace(each, calls=0, spent_usd=Decimal(0), spent_unpriced_calls=0)
        for each in certificate.findings
    )
    kept = tuple(each for each in certificate.warnings if "lost" not in each)
    return replace(
        certificate,
        findings=findings,
        decided_at=datetime(2026, 1, 1, tzinfo=UTC),
        calls=0,
        spent_usd=Decimal(0),
        warnings=kept,
    )


def settled(certificate: Certificate) -> object:
    plain = without_time(certificate)
    return plain.findings, plain.winner, plain.identity, plain.warnings
