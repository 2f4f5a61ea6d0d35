"""Stage 4 of a workspace: gate."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from clearbar.core.period import last_days
from clearbar.workspace.trialing import Trialing

if TYPE_CHECKING:
    from datetime import date

    from clearbar.core.errors import Problem
    from clearbar.gate.docket import Entry
    from clearbar.gate.facts import Drift
    from clearbar.gate.verdict import Decision, Override, Verdict
    from clearbar.own.card import Defence


class Gating(Trialing):
    """What is decided, and what people say to it."""

    def verdicts(self) -> tuple[Verdict, ...]:
        """Return the verdicts of today; nothing is recorded."""
        from clearbar.gate import decide
        from clearbar.gate.docket_entries import docket_state
        from clearbar.gate.gather import days_needed

        policy = self.declared.policy
        days = max((days_needed(each, policy) for each in self.declared.workflows), default=1)
        history = self._scored.history(last_days(days, self.as_of))
        state = docket_state(self.store, self.as_of)
        scorecard = self.scorecard()
        trials = self.in_force(scorecard.cards)
        return decide.verdicts(scorecard, policy, state, history, trials, self._drifts())

    def _drifts(self) -> dict[str, Drift]:
        """Return the alarms that stand on routed tools, by workflow."""
        from clearbar.route.watching.watch import drifts

        return drifts(self.store)

    def judge(self) -> tuple[tuple[Verdict, ...], tuple[Verdict, ...]]:
        """Return the verdicts of today, and those that are news, which go into the docket.

        Under another day's `as_of` nothing is recorded: the docket says what was decided when.
        """
        from clearbar.gate.docket_entries import record_verdicts

        current = self.verdicts()
        if self.is_as_of_another_day:
            return current, ()
        return current, record_verdicts(self.store, current, self._now)

    def gate_problems(self) -> tuple[Problem, ...]:
        """Return what fails in CI: no owner or metric, or a verdict that would change."""
        from clearbar.gate import decide
        from clearbar.gate.docket_entries import last_verdicts

        recorded = last_verdicts(self.store, self.as_of)
        return decide.check(self.scorecard(), self.verdicts(), recorded)

    def defend(
        self, workflow: str, *, by: str, why: str, days: int | None = None, on: date | None = None
    ) -> Defence:
        """Record that somebody stands up for a workflow; None is today, until its next review."""
        from clearbar.gate.docket_entries import defend
        from clearbar.gate.facts import review_days

        self._refuse_another_day()
        lasts = days or review_days(self.workflow(workflow), self.declared.policy)
        given = on or self.as_of
        ends = given + timedelta(days=lasts)
        return defend(self.store, workflow, by=by, why=why, on=given, expires=ends, now=self._now)

    def override(
        self, workflow: str, decision: Decision, *, by: str, why: str, until: date
    ) -> Override:
        """Record a person's decision against the table, until a day."""
        from clearbar.gate.docket_entries import override

        self._refuse_another_day()
        self.workflow(workflow)
        return override(self.store, workflow, decision, by=by, why=why, until=until, now=self._now)

    def gate_history(self, workflow: str) -> list[Entry]:
        """Return all that the docket says of a workflow, oldest first."""
        from clearbar.gate.docket import history

        return history(self.store, workflow)

    def check(self, expected_head: str | None = None) -> list[Problem]:
        """Return what is wrong with the ledger, the outcomes or the docket.

        clearbar.toml is read on the way.
        """
        from clearbar.gate.docket import parse_head, verify
        from clearbar.own import outcomes
        from clearbar.spend.reconciling.closing import verify_closings
        from clearbar.spend.storage.verify import verify_ledger

        self.declared  # noqa: B018 - reading it says what is wrong with it
        noted = parse_head(expected_head) if expected_head else None
        of_store = [*outcomes.verify(self.store), *verify_closings(self.store)]
        return [*verify_ledger(self.ledger), *of_store, *verify(self.store, noted)]

    @property
    def docket_head(self) -> str:
        """The end of the docket. Kept elsewhere, it shows later that nothing was cut off.

        Raises:
            LedgerError: when the docket cannot be read.
        """
        from clearbar.gate.docket import head

        return str(head(self.store))
