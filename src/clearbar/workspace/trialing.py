"""Stage 3 of a workspace, what is found out: trials run, labelled, imported, distilled."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from clearbar.core.errors import ClearbarError
from clearbar.workspace.certifying import Certifying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from decimal import Decimal
    from pathlib import Path

    from clearbar.own.workflow import Bar
    from clearbar.spend.reading import LedgerReading
    from clearbar.tools.call import Caller
    from clearbar.trial.declaration import Choices
    from clearbar.trial.distilling.distil_report import DistilReport
    from clearbar.trial.forecast import TrialForecast
    from clearbar.trial.prepare import Prepared
    from clearbar.trial.recorded.evaluation import Choice
    from clearbar.trial.recorded.recorded_scores import RecordedScores
    from clearbar.trial.running.labels_wanted import Unlabelled
    from clearbar.trial.running.runnable import Means
    from clearbar.trial.running.standing import Standing
    from clearbar.trial.trial import Certificate


class Trialing(Certifying):
    """Which tool is enough."""

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

    def labels_wanted(
        self, workflow: str, *, tools: Sequence[str] | None = None, seed: int | None = None
    ) -> list[Unlabelled]:
        """Return the cases whose answers a person has to judge before the trial can go on.

        `tools` and `seed` are those that the trial was run with.
        """
        import asyncio

        from clearbar.trial.declaration import Choices

        return asyncio.run(self._labels(self._prepared(workflow, Choices(tools, seed))))

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

    def _prepared(self, workflow: str, choices: Choices) -> Prepared:
        from clearbar.tools.rates import Rates
        from clearbar.trial.prepare import prepare

        self._refuse_another_day()
        declaration = replace(self._declaration(workflow), in_use=self._in_use(workflow))
        return prepare(declaration, choices, Rates(self.book), self._now)

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
        from clearbar.trial.running.ceiling import Pricing
        from clearbar.trial.running.evidence import Evidence
        from clearbar.trial.running.purchase import Time
        from clearbar.trial.running.runnable import Means

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
