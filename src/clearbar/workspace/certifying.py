"""Stage 3 of a workspace, what is known: what clearbar.toml declares, what certificates say."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from clearbar.core.errors import ClearbarError
from clearbar.workspace.owning import Owning

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from clearbar.core.period import Period
    from clearbar.own.card import Scorecard, WorkflowCard
    from clearbar.trial.declaration import Declaration, InUse
    from clearbar.trial.in_force import InForce
    from clearbar.trial.plan import TrialPlan
    from clearbar.trial.trial import Certificate


class Certifying(Owning):
    """Which tool is known to be enough."""

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

    def certificate(self, workflow: str) -> tuple[Certificate, tuple[str, ...]] | None:
        """Return the last certificate of a workflow, and what makes it stale; None without one."""
        from clearbar.trial.certifying.certificate import last

        self.workflow(workflow)
        found = last(self.store, workflow)
        return None if found is None else (found, self._stale(found))

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
