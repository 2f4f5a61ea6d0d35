"""Stage 3 of a workspace: trial."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from clearbar.core.errors import ClearbarError
from clearbar.workspace.owning import Owning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from decimal import Decimal
    from pathlib import Path

    from clearbar.core.period import Period
    from clearbar.own.card import Scorecard, WorkflowCard
    from clearbar.own.workflow import Bar
    from clearbar.spend.reading import LedgerReading
    from clearbar.tools.call import Caller
    from clearbar.trial.declaration import Choices, Declaration, InUse
    from clearbar.trial.distilling.distil_report import DistilReport
    from clearbar.trial.forecast import TrialForecast
    from clearbar.trial.in_force import InForce
    from clearbar.trial.plan import TrialPlan
    from clearbar.trial.prepare import Prepared
    from clearbar.trial.recorded.evaluation import Choice
    from clearbar.trial.recorded.recorded_scores import RecordedScores
    from clearbar.trial.running.labels_wanted import Unlabelled
    from clearbar.trial.running.run import Means
    from clearbar.trial.running.standing import Standing
    from clearbar.trial.trial import Certificate


class Trialing(Owning):
    """Which tool is enough."""

    def trial_plan(self, workflow: str) -> TrialPlan:
        """Return what is declared of a workflow's trial.

        Raises:
            UnknownName: when there is no such workflow.
            ClearbarError: when it declares no trial.
        """
        self.workflow(workflow)
        plans = {plan.workflow: plan for plan in self.declared.trials}
        if workflow not in plans:
            raise ClearbarError(
                f"{workflow} declares no trial", "add a [[trial]] with its cases and tools"
            )
        return plans[workflow]

    def trial_forecast(
        self,
        workflow: str,
        *,
        tools: Sequence[str] | None = None,
        budget_usd: Decimal | None = None,
    ) -> TrialForecast:
        """Return what a trial would take; nobody is asked."""
        from clearbar.tools.rates import Rates
        from clearbar.trial.declaration import Choices
        from clearbar.trial.forecasting import forecast
        from clearbar.trial.running.ceiling import Pricing

        prepared = self._prepared(workflow, Choices(tools, None, budget_usd))
        pricing, now = Pricing(Rates(self.book)), self._now
        return forecast(prepared, lambda tool, request: pricing.ceiling(tool, request, now))

    def run_trial(
        self,
        workflow: str,
        *,
        tools: Sequence[str] | None = None,
        budget_usd: Decimal | None = None,
        seed: int | None = None,
        progress: Callable[[Standing], None] | None = None,
    ) -> Certificate:
        """Run a trial to its end, or go on with it; return its certificate, kept if complete.

        Raises:
            ClearbarError: when it cannot be run as declared, or runs in another process.
        """
        import asyncio

        from clearbar.trial.certifying.certificate import is_complete, save
        from clearbar.trial.declaration import Choices
        from clearbar.trial.running.interrupted import note

        prepared = self._prepared(workflow, Choices(tools, seed, budget_usd))
        note(self._claims, workflow)
        try:
            certificate = asyncio.run(self._run(prepared, progress))
        finally:
            self._charge_ended_trials()
            self._forget()
        if is_complete(certificate):
            save(self.store, certificate)
        return certificate

    def certificate(self, workflow: str) -> tuple[Certificate, tuple[str, ...]] | None:
        """Return the last certificate of a workflow, and what makes it stale; None without one."""
        from clearbar.trial.certifying.certificate import last

        self.workflow(workflow)
        found = last(self.store, workflow)
        return None if found is None else (found, self._stale(found))

    def import_evidence(
        self, paths: Sequence[Path], workflow: str, choice: Choice | None = None
    ) -> tuple[RecordedScores, Certificate]:
        """Decide a workflow's trial from results of another evaluator; keep the certificate.

        The scores are kept too: a trial of the same tools and cases does not ask for them again.

        `choice` says what the files leave open: the tool, the metric.

        Raises:
            ClearbarError: when the file tells no scores, or the workflow has no bar.
        """
        from clearbar.trial.certifying.certificate import save
        from clearbar.trial.plan import TrialPlan
        from clearbar.trial.recorded.evaluators import read_evaluations
        from clearbar.trial.recorded.kept_scores import keep
        from clearbar.trial.recorded.replay import replay

        owned = self.workflow(workflow)
        if owned.bar is None:
            raise ClearbarError(f"{workflow} has no bar to clear", "declare `bar` of it")
        plans = {plan.workflow: plan for plan in self.declared.trials}
        plan = plans.get(workflow) or TrialPlan(workflow, "")
        scores = read_evaluations(paths, choice)
        certificate = replay(
            scores,
            owned.bar,
            plan.error(owned.stakes),
            plan.seed,
            now=self._now,
            tiers={tool.name: tool.tier for tool in self.declared.tools},
            workflow=workflow,
        )
        keep(self.store, workflow, scores.rows, self._now)
        save(self.store, certificate)
        return scores, certificate

    def labels_wanted(self, workflow: str) -> list[Unlabelled]:
        """Return the cases whose answers a person has to judge before the trial can go on."""
        import asyncio

        from clearbar.trial.declaration import Choices

        return asyncio.run(self._labels(self._prepared(workflow, Choices())))

    def label(self, workflow: str, case: str, answer: str, score: float, *, by: str) -> None:
        """Record what a person said of an answer; `case` and `answer` are as in `Unlabelled`."""
        from clearbar.trial.attempts import Label
        from clearbar.trial.running.evidence import Evidence

        label = Label(workflow, case, answer, score, by, self._now)
        Evidence(self.store).label(label)

    def distil(self, workflow: str, out: Path | None) -> DistilReport:
        """Train a classifier on the workflow's logged answers; None writes no file."""
        from clearbar.trial.cases import read_cases, split
        from clearbar.trial.distilling.distil import distil

        plan = self.trial_plan(workflow)
        cases = read_cases(self.folder / plan.cases).cases
        share = 0.5 if plan.train_share is None else plan.train_share
        bar = self.workflow(workflow).bar
        return distil(
            split(cases, plan.seed, share).train,
            out,
            labelled_by="" if bar is None or bar.of is None else bar.of,
            bar=None if bar is None else _agreement(bar),
            seed=plan.seed,
        )

    def scorecard(self, period: Period | None = None) -> Scorecard:
        """Return the scorecard of a period, with the tier that each workflow needs."""
        from clearbar.trial.in_force import tier_need

        made = super().scorecard(period)
        tools = {tool.name: tool for tool in self.declared.tools}
        known = self.in_force(made.cards)
        cards = (
            replace(card, need=tier_need(known[card.workflow.name], card, tools))
            if card.workflow.name in known
            else card
            for card in made.cards
        )
        return replace(made, cards=tuple(cards))

    def in_force(self, cards: Sequence[WorkflowCard]) -> dict[str, InForce]:
        """Return, by workflow, what the certificates say of those that have any."""
        from clearbar.trial.certifying.certificate import load
        from clearbar.trial.in_force import in_force

        kept: dict[str, list[Certificate]] = {}
        for certificate in load(self.store):
            if certificate.decided_at.date() <= self.as_of:
                kept.setdefault(certificate.identity.workflow, []).append(certificate)
        tools = {tool.name: tool for tool in self.declared.tools}
        return {
            card.workflow.name: in_force(found, self._stale(found[-1]), card.models, tools)
            for card in cards
            if (found := kept.get(card.workflow.name))
        }

    @property
    def _claims(self) -> Path:
        """The folder of locks and notes of the trials that run."""
        return self.folder / ".clearbar" / "trials"

    @cached_property
    def _reading(self) -> LedgerReading:
        """Read the ledger with all that trials have spent, those too that were killed."""
        self._charge_ended_trials()
        return super()._reading

    def _charge_ended_trials(self) -> None:
        if not any(self._claims.glob("*.due")):
            return
        from clearbar.trial.running.charges import charge_calls
        from clearbar.trial.running.evidence import Evidence
        from clearbar.trial.running.interrupted import charge_ended

        now = self._now
        charge_ended(
            self._claims,
            Evidence(self.store),
            now,
            lambda: charge_calls(self.store, self.ledger, self.book, now),
        )

    @cached_property
    def _known_stale(self) -> dict[tuple[str, datetime], tuple[str, ...]]:
        """By workflow and time of a certificate, what `_stale` has found; cases take a while."""
        return {}

    def _stale(self, certificate: Certificate) -> tuple[str, ...]:
        key = certificate.identity.workflow, certificate.decided_at
        if key not in self._known_stale:
            self._known_stale[key] = self._changes_since(certificate)
        return self._known_stale[key]

    def _forget(self) -> None:
        super()._forget()
        self._known_stale.clear()

    def _changes_since(self, certificate: Certificate) -> tuple[str, ...]:
        from clearbar.trial.certifying.staleness import stale
        from clearbar.trial.declaration import identity_today
        from clearbar.trial.recorded.replay import recorded_today

        workflow = self.workflow(certificate.identity.workflow)
        plans = {plan.workflow: plan for plan in self.declared.trials}
        plan = plans.get(workflow.name)
        before = certificate.identity
        try:
            if (today := recorded_today(before, workflow, plan)) is None:
                declaration = self._declaration(workflow.name)
                today = identity_today(declaration, before.tools, before.seed)
        except ClearbarError as error:
            return (error.message,)
        return stale(certificate, today, self._now, workflow.stakes)

    def _declaration(self, workflow: str) -> Declaration:
        from clearbar.trial.declaration import Declaration
        from clearbar.trial.recorded.kept_scores import kept

        return Declaration(
            self.workflow(workflow),
            self.trial_plan(workflow),
            {tool.name: tool for tool in self.declared.tools},
            self.folder,
            os.environ,
            recorded=kept(self.store, workflow),
        )

    def _prepared(self, workflow: str, choices: Choices) -> Prepared:
        from clearbar.tools.rates import Rates
        from clearbar.trial.prepare import prepare

        self._refuse_another_day()
        declaration = replace(self._declaration(workflow), in_use=self._in_use(workflow))
        return prepare(declaration, choices, Rates(self.book), self._now)

    def _in_use(self, workflow: str) -> InUse | None:
        """Return what the ledger knows of the tool in use over the last period."""
        from clearbar.trial.declaration import InUse
        from clearbar.trial.in_force import tool_use

        cards = {card.workflow.name: card for card in super().scorecard().cards}
        known = tool_use(cards[workflow].models, self.declared.tools) if workflow in cards else None
        if known is None or not known[1].usage.calls:
            return None
        tool, usage = known[0], known[1].usage
        asked = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
        unpriced = usage.calls_unpriced
        return InUse(
            tool,
            asked / usage.calls,
            usage.output_tokens / usage.calls,
            None if unpriced else usage.cost_usd / usage.calls,
        )

    async def _run(
        self, prepared: Prepared, progress: Callable[[Standing], None] | None
    ) -> Certificate:
        from clearbar.tools.call import Caller
        from clearbar.trial.running.run import run

        with _stopped_by_sigterm():
            async with Caller(self.folder, os.environ) as caller:
                return await run(prepared.trial, self._means(caller, progress))

    async def _labels(self, prepared: Prepared) -> list[Unlabelled]:
        from clearbar.tools.call import Caller
        from clearbar.trial.running.evidence import Evidence
        from clearbar.trial.running.labels_wanted import labels_wanted

        async with Caller(self.folder, os.environ) as caller:
            return await labels_wanted(prepared.trial, caller, Evidence(self.store))

    def _means(self, caller: Caller, progress: Callable[[Standing], None] | None) -> Means:
        import asyncio
        from random import SystemRandom
        from time import monotonic

        from clearbar.tools.rates import Rates
        from clearbar.trial.running.buying import Time
        from clearbar.trial.running.ceiling import Pricing
        from clearbar.trial.running.evidence import Evidence
        from clearbar.trial.running.run import Means

        return Means(
            caller,
            Evidence(self.store),
            Pricing(Rates(self.book)),
            Time(lambda: self._now, monotonic, asyncio.sleep, SystemRandom()),
            self._claims,
            progress or (lambda _: None),
        )


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Take a SIGTERM as a Ctrl-C: what runs now is cancelled, and ends in good order."""
    import asyncio
    import signal

    task = asyncio.current_task()
    with suppress(NotImplementedError, RuntimeError, ValueError):  # no main thread, or no signals
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        with suppress(NotImplementedError, RuntimeError, ValueError):
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)


def _agreement(bar: Bar) -> float | None:
    """Return the agreement that clears a bar: who differs in less than the margin is within it."""
    return bar.at_least if bar.within is None else 1 - bar.within
